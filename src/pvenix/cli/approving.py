"""Asks the person at the terminal about what a run waits for, keeps the answers, and goes on with the run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pvenix.cli.driver import execute
from pvenix.cli.prompts import agreed, can_ask
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.text import one_line, style
from pvenix.engine.decisions import Decisions, undecided
from pvenix.model.approval import Asked, Decision, Verdict
from pvenix.operator import operator

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.wiring import Workspace


async def asked_at_once(settings: Settings, workspace: Workspace, run: RunDir, code: int) -> int:
    """The exit code of a run that ended with `code`, after a person has said what is to be done of what waits.

    Each change is asked about once; what is not approved goes on to wait. Without a terminal nothing is asked.
    """
    told: set[tuple[str, str]] = set()
    while questions := [each for each in undecided(run) if (each.host, each.step) not in told]:
        if settings.output is not Output.TEXT or not (settings.yes or can_ask(settings)):
            return code
        told |= {(each.host, each.step) for each in questions}
        approved = [each for each in questions if await _agreed(settings, each)]
        if not approved:
            return code
        decide(run, approved, Verdict.APPROVED, "--yes" if settings.yes else "")
        code = await execute(settings, workspace, run, resume=True, only={each.host for each in approved})
    return code


def decide(run: RunDir, asked: Sequence[Asked], verdict: Verdict, comment: str) -> None:
    """Keep one decision about each.

    Raises: LocalResource when the disk does not take it.
    """
    kept = Decisions(run.path)
    for each in asked:
        kept.add(
            Decision(
                verdict=verdict,
                by=operator(),
                at=_now(),
                comment=comment,
                host=each.host,
                step=each.step,
                subject=each.subject,
                commit=each.commit,
                risks=each.risks,
            )
        )


def allow_now(run: RunDir, hosts: Collection[str] = ("",)) -> None:
    """Let these hosts, or all, be disturbed outside of their windows.

    Raises: LocalResource when the disk does not take it.
    """
    for host in hosts:
        Decisions(run.path).add(Decision(verdict=Verdict.NOW, by=operator(), at=_now(), host=host))


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
