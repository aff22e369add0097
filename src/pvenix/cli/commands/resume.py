"""`pvenix resume RUN`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pvenix.cli.driver import execute
from pvenix.cli.lazy import Command
from pvenix.cli.settings import Settings

if TYPE_CHECKING:
    from pvenix.wiring import Workspace


@click.command("resume", cls=Command, examples=("pvenix resume last", "pvenix resume 20250314-091500-3f2a"))
@click.argument("run", default="last", help="The run's id, or `last`.")
@click.pass_obj
def command(settings: Settings, run: str) -> int:
    """Finish a run that was interrupted: what was begun is looked at, what is missing is done."""

    async def action(workspace: Workspace) -> int:
        found = workspace.runs.open(run)
        if not settings.as_planned(found.plan()):
            return await execute(settings, workspace, found, resume=True)
        again = settings.open(workspace.root)
        try:
            return await execute(settings, again, found, resume=True)
        finally:
            await again.close()

    return settings.run_async(action)
