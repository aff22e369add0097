"""`pvenix resume RUN`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from pvenix.cli.approving import allow_now, asked_at_once
from pvenix.cli.driver import execute
from pvenix.cli.lazy import Command
from pvenix.cli.settings import Settings

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.wiring import Workspace


@click.command("resume", cls=Command, examples=("pvenix resume last", "pvenix resume 20250314-091500-3f2a"))
@click.argument("run", default="last", help="The run's id, or `last`.")
@click.option("--now", is_flag=True, help="Also outside of the hosts' windows.")
@click.pass_obj
def command(settings: Settings, run: str, *, now: bool) -> int:
    """Finish a run that was interrupted: what was begun is looked at, what is missing is done."""

    async def action(workspace: Workspace) -> int:
        found = workspace.runs.open(run)
        if now:
            allow_now(found)
        return await go_on(settings, workspace, found)

    return settings.run_async(action)


async def go_on(settings: Settings, workspace: Workspace, run: RunDir, *, only: Collection[str] = ()) -> int:
    """The exit code of the run, gone on with here; with `only` no other host that ended badly is tried again."""
    if not settings.as_planned(run.plan()):
        return await _asking(settings, workspace, run, only)
    again = settings.open(workspace.root)
    try:
        return await _asking(settings, again, run, only)
    finally:
        await again.close()


async def _asking(settings: Settings, workspace: Workspace, run: RunDir, only: Collection[str]) -> int:
    code = await execute(settings, workspace, run, resume=True, only=only)
    return await asked_at_once(settings, workspace, run, code)
