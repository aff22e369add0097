"""`pvenix approve RUN`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pvenix.cli.approving import lines
from pvenix.cli.commands.resume import go_on
from pvenix.cli.documents import show_document
from pvenix.cli.lazy import Command
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.settings import Output, Settings, talk
from pvenix.engine.requests import Ask
from pvenix.model.approval import Asked, Verdict
from pvenix.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.wiring import Workspace


@click.command(
    "approve",
    cls=Command,
    examples=(
        "pvenix approve last -C                   what waits, and for what",
        "pvenix approve last -l dns01 -m 'agreed with the team'",
        "pvenix approve last --reject -m 'not before the holidays'",
    ),
)
@click.argument("run", help="The run's id, or `last`.")
@click.option("-l", "--limit", metavar="PATTERN", help="Only for these hosts.")
@click.option("-m", "--comment", default="", help="Kept with the decision.")
@click.option("--reject", is_flag=True, help="Do not do it: the host's part of the run ends.")
@click.option("--now", is_flag=True, help="Also outside of the hosts' windows.")
@click.option("-C", "--check", is_flag=True, help="Show what waits and decide nothing.")
@click.pass_obj
def command(
    settings: Settings, /, *, run: str, limit: str | None, comment: str, reject: bool, now: bool, check: bool
) -> int:
    """Approve the risky changes that a run waits with, as they were shown, and go on with it.

    What is approved is the very system, or reboot, for the very reasons that the run showed; when it comes to another
    one it asks again. Hosts of the run that failed stay as they are.
    """

    async def action(workspace: Workspace) -> int:
        found = workspace.runs.open(run)
        asked = _asked(workspace, found, limit)
        if check:
            _show(settings, found, asked, "")
            return ExitCode.APPROVAL
        workspace.decide(found, asked, Verdict.REJECTED if reject else Verdict.APPROVED, comment)
        hosts = tuple(dict.fromkeys(each.host for each in asked))
        if now:
            workspace.allow_now(found, hosts)
        if settings.output is Output.TEXT:
            _show(settings, found, asked, "rejected" if reject else "approved")
        if not found.alive():
            code = await go_on(settings, workspace, found, only=hosts)
            return ExitCode.OK if reject and code == ExitCode.INTERRUPTED else code  # it ended as it was asked to
        for host in hosts:
            found.request(Ask.RETRY, host)
        talk(f"the run goes on with it; when it has ended without: pvenix resume {found.run}")
        return ExitCode.OK

    return settings.run_async(action)


def _asked(workspace: Workspace, run: RunDir, limit: str | None) -> list[Asked]:
    """What waits for a decision of the hosts that are meant.

    Raises: NothingToDo when nothing does, UsageError when it does for other hosts only.
    """
    every = workspace.undecided(run)
    if not every:
        raise NothingToDo(f"nothing of run {run.run} waits for an approval; a registration: pvenix review list")
    meant = set(workspace.fleet().select(limit)) if limit else {each.host for each in every}
    asked = [each for each in every if each.host in meant]
    if not asked:
        waiting = ", ".join(dict.fromkeys(each.host for each in every))
        raise UsageError(f"nothing of {limit} waits for an approval in run {run.run}", why=f"there waits: {waiting}")
    return asked


def _show(settings: Settings, run: RunDir, asked: Sequence[Asked], done: str) -> None:
    text = "\n".join(line for each in asked for line in lines(each))
    item = {"run": run.run, "state": done or "waiting", "asked": [dataclasses.asdict(each) for each in asked]}
    show_document(settings, "approvals", item, f"{text}\n{done}" if done else text)
