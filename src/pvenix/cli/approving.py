"""Asks the person at the terminal about what a run waits for, keeps the answers, and goes on with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix.cli.driver import execute
from pvenix.cli.prompts import agreed, can_ask
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.text import one_line, style
from pvenix.model.approval import Asked, Verdict

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.wiring import Workspace


async def asked_at_once(settings: Settings, workspace: Workspace, run: RunDir, code: int) -> int:
    """The exit code of a run that ended with `code`, after a person has said what is to be done of what waits.

    Each change is asked about once; what is not approved goes on to wait. Without a terminal nothing is asked.
    """
    told: set[tuple[str, str]] = set()
    while questions := [each for each in workspace.undecided(run) if (each.host, each.step) not in told]:
        if settings.output is not Output.TEXT or not (settings.yes or can_ask(settings)):
            return code
        told |= {(each.host, each.step) for each in questions}
        approved = [each for each in questions if await _agreed(settings, each)]
        if not approved:
            return code
        workspace.decide(run, approved, Verdict.APPROVED, "--yes" if settings.yes else "")
        code = await execute(settings, workspace, run, resume=True, only={each.host for each in approved})
    return code


def lines(asked: Asked) -> list[str]:
    """A change that waits, in words: the host and the verb, why a person is asked, and what exactly it is about."""
    verb = asked.step.rpartition(".")[2]
    commit = f", built from {asked.commit[:10]}" if asked.commit else ""
    return [
        f"{style(asked.host, 'strong')} {verb} {style('waits', 'waiting')} for an approval:",
        *(f"  {one_line(risk)}" for risk in asked.risks),
        f"  of exactly {one_line(asked.subject)}{commit}",
    ]


async def _agreed(settings: Settings, asked: Asked) -> bool:
    talk("\n".join(["", *lines(asked)]))
    return await agreed(settings, f"approve it for {asked.host}?")
