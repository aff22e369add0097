"""`pvenix abandon RUN`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_document
from pvenix.cli.lazy import Command
from pvenix.cli.prompts import confirm
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import clean
from pvenix.engine.finishing import refuse_finished
from pvenix.model.errors import ExitCode, LockHeld

if TYPE_CHECKING:
    from pvenix.engine.abandoned import Abandoned
    from pvenix.wiring import Workspace


@click.command(
    "abandon",
    cls=Command,
    examples=("pvenix abandon last", "pvenix abandon 20250314-091500-3f2a --yes"),
)
@click.argument("run", help="The run's id, or `last`.")
@click.pass_obj
def command(settings: Settings, /, *, run: str) -> int:
    """End a run for good whose process died or that ended badly: nobody goes on with it any more.

    Its fences are given back on hosts where no activation of it is open. What may still go on is named: units on hosts,
    tasks at Proxmox, half-made VMs; then the exit code is 5, and the command may be given again later. Nothing is
    destroyed.
    """

    async def action(workspace: Workspace) -> int:
        found = workspace.runs.open(run)
        if found.alive():
            hint = f"pvenix runs ask {found.run} cancel"
            raise LockHeld(f"run {found.run} is being executed", why="only a dead run can be given up", hint=hint)
        refuse_finished(found)
        confirm(settings, f"give run {found.run} ({clean(found.plan().title)}) up for good?")
        mark = await workspace.abandon(found, say=lambda text: talk(clean(text)))
        document = {"run": found.run, "at": mark.at, "by": mark.by, "left": list(mark.left)}
        show_document(settings, "abandoned", document, _told(found.run, mark))
        return ExitCode.UNKNOWN if mark.open else ExitCode.OK

    return settings.run_async(action)


def _told(run: str, mark: Abandoned) -> str:
    if not mark.left:
        return f"run {run} is abandoned; nothing of it is open, and its hosts are free"
    lines = [f"run {run} is abandoned; still open:", *(f"  {clean(line)}" for line in mark.left)]
    return "\n".join([*lines, f"look again later: pvenix abandon {run}"])
