"""`pvenix resume RUN`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pvenix.cli.approving import asked_at_once
from pvenix.cli.driver import execute, refuse_unasked
from pvenix.cli.lazy import Command
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.settings import Settings, talk
from pvenix.engine.finishing import again, to_finish
from pvenix.operator import operator

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.wiring import Workspace


@click.command(
    "resume",
    cls=Command,
    examples=(
        "pvenix resume                                    the newest run that has something to finish",
        "pvenix resume 20250314-091500-3f2a",
        "pvenix resume last --retry-failed                a new run of it, for the hosts that failed",
    ),
)
@click.argument("run", default="", help="The run's id, or `last`; unless said, the newest with something to finish.")
@click.option("--retry-failed", is_flag=True, help="Make a new run of it, for the hosts that failed, and begin anew.")
@click.option("--now", is_flag=True, help="Also outside of the hosts' windows.")
@click.pass_obj
def command(settings: Settings, run: str, *, retry_failed: bool, now: bool) -> int:
    """Finish a run that was interrupted: what was begun is looked at, what is missing is done.

    With --retry-failed the run stays as it is, and a new one does every step of the same plan for its hosts that failed,
    were unreachable or unknown, like Ansible with `--limit @FILE.retry`; hosts that ended well are left alone.
    """

    async def action(workspace: Workspace) -> int:
        found = _again(settings, workspace, run or "last") if retry_failed else _found(workspace, run)
        if now:
            workspace.allow_now(found)
        return await go_on(settings, workspace, found, resume=not retry_failed)

    return settings.run_async(action)


def _found(workspace: Workspace, run: str) -> RunDir:
    """The run that is meant.

    Raises: NothingToDo when none is named and none has anything to finish.
    """
    if run:
        return workspace.runs.open(run)
    found = to_finish(workspace.runs)
    if found is None:
        raise NothingToDo("no run has anything to finish; pvenix runs list shows them all")
    talk(f"going on with run {found.run}: {found.plan().title}")
    return found


def _again(settings: Settings, workspace: Workspace, run: str) -> RunDir:
    """A new run for the hosts of a run that failed."""
    found = workspace.runs.open(run)
    plan = replace(again(found), operator=operator())
    refuse_unasked(settings, plan)
    talk(f"again, after run {found.run}: {', '.join(plan.hosts)}")
    return workspace.runs.create(plan)


async def go_on(
    settings: Settings, workspace: Workspace, run: RunDir, *, only: Collection[str] = (), resume: bool = True
) -> int:
    """The exit code of the run, gone on with here; with `only` no other host that ended badly is tried again."""
    if not settings.as_planned(run.plan()):
        return await _asking(settings, workspace, run, only, resume=resume)
    other = settings.open(workspace.root)
    try:
        return await _asking(settings, other, run, only, resume=resume)
    finally:
        await other.close()


async def _asking(settings: Settings, workspace: Workspace, run: RunDir, only: Collection[str], *, resume: bool) -> int:
    code = await execute(settings, workspace, run, resume=resume, only=only)
    return await asked_at_once(settings, workspace, run, code)
