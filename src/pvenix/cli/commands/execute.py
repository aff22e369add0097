"""`pvenix _execute RUNDIR`: the process of a run that a front end started and does not wait for."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.settings import Settings
from pvenix.engine.runfiles import RunDir

if TYPE_CHECKING:
    from pvenix.model.events import Event
    from pvenix.wiring import Workspace


@click.command("_execute", cls=Command, hidden=True, examples=("pvenix _execute RUNDIR",))
@click.argument("rundir", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The run's directory.")
@click.option("--resume", is_flag=True, help="Go on where the run was interrupted.")
@click.option("--only", multiple=True, metavar="HOST", help="Of the hosts that ended badly, try only these again.")
@click.pass_obj
def command(settings: Settings, rundir: Path, *, resume: bool, only: tuple[str, ...]) -> int:
    """Execute the run of a directory in a session of its own; its files are its only output."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getpgid(0) != os.getpid():  # a group leader has its own group already and may not call setsid
        os.setsid()
    run = RunDir(rundir.resolve())
    plan = run.plan()
    settings.fleet = Path(plan.fleet)
    settings.as_planned(plan)

    async def action(workspace: Workspace) -> int:
        return await workspace.execute(run, on_event=_nobody, resume=resume, only=only)

    return settings.run_async(action)


def _nobody(_event: Event) -> None:
    """Front ends read the run's files."""
