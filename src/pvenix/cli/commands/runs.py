"""`pvenix runs`: what was done, what is being done, and words to a run."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.render.choose import make_renderer
from pvenix.cli.settings import Settings, talk
from pvenix.engine.requests import Ask
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.events import RunEnded
from pvenix.model.nearest import did_you_mean

if TYPE_CHECKING:
    from pvenix.cli.render.base import Renderer
    from pvenix.engine.runfiles import RunDir

RUN = click.argument("run", help="The run's id, or `last`.")
_LOOK_S = 0.1


@click.group("runs", cls=Group, examples=("pvenix runs list", "pvenix runs show last", "pvenix runs show last -f"))
def command() -> None:
    """List and show runs, follow one that goes on, and ask it to stop, hold or go on."""


@command.command("list", examples=("pvenix runs list", "pvenix runs list -n 5 -o json"))
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The newest N.")
@click.pass_obj
def list_runs(settings: Settings, /, *, limit: int) -> None:
    """List the newest runs of this fleet on this machine."""
    with settings.workspace() as workspace:
        summaries = workspace.runs.recent(limit=limit)
    rows = [
        (
            each.run,
            each.state,
            "-" if each.exit_code is None else str(each.exit_code),
            str(each.hosts),
            ", ".join(f"{count} {status}" for status, count in each.counts.items()) or "-",
            each.title,
        )
        for each in summaries
    ]
    header = ("RUN", "STATE", "EXIT", "HOSTS", "RESULT", "TITLE")
    show_rows(settings, "runs", [dataclasses.asdict(each) for each in summaries], header, rows, status=1)


@command.command(
    "show", examples=("pvenix runs show last", "pvenix runs show last --log dns01", "pvenix runs show last -f")
)
@RUN
@click.option("--log", "log_of", metavar="HOST", help="Print the output of this host instead.")
@click.option("-f", "--follow", is_flag=True, help="Stay until the run ends.")
@click.pass_obj
def show(settings: Settings, /, *, run: str, log_of: str | None, follow: bool) -> int:
    """Show the steps of a run and how they ended; with -f the exit code is the run's."""
    with settings.workspace() as workspace:
        directory = workspace.runs.open(run)
        if log_of:
            _show_log(directory, log_of)
            return ExitCode.OK
        code = _watch(directory, make_renderer(settings, diff=directory.plan().diff), follow=follow)
        return code if follow else ExitCode.OK


@command.command("ask", examples=("pvenix runs ask last cancel", "pvenix runs ask last retry --host dns01"))
@RUN
@click.argument("what", type=click.Choice([each.value for each in Ask]), help="What to ask for.")
@click.option("--host", default="", help="Only for this host.")
@click.pass_obj
def ask(settings: Settings, /, *, run: str, what: str, host: str) -> None:
    """Ask a run that goes on to stop starting steps, to hold, to go on, or to try failed hosts again."""
    with settings.workspace() as workspace:
        directory = workspace.runs.open(run)
        if not directory.alive():
            raise UsageError(f"run {directory.run} is not being executed", hint=f"pvenix runs show {directory.run}")
        if host and host not in directory.plan().hosts:
            raise UsageError(f"{host} is not in this run", hint=did_you_mean(host, directory.plan().hosts))
        directory.request(what, host)
    talk(f"asked run {directory.run}: {what}{f' {host}' if host else ''}")


def _show_log(run: RunDir, host: str) -> None:
    hosts = run.plan().hosts
    if host not in hosts:
        raise UsageError(f"{host} is not in this run", hint=did_you_mean(host, hosts))
    from pvenix.cli.text import clean

    try:
        with run.log_path(host).open(encoding="utf-8", errors="replace") as log:
            for line in log:
                click.echo(clean(line), nl=False)
    except FileNotFoundError:
        talk(f"{host} has printed nothing in this run")


def _watch(run: RunDir, renderer: Renderer, *, follow: bool) -> int:
    """The run's exit code, 0 while it has none."""
    offset, code = 0, ExitCode.OK
    try:
        while True:
            alive = run.alive()
            events, offset = run.events(offset)
            for event in events:
                renderer.event(event)
            end = renderer.view.end
            if isinstance(end, RunEnded):
                code = ExitCode(end.exit_code)
            if not follow or not alive:
                break
            renderer.tick()
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        renderer.pause()
        talk(f"no longer followed; the run goes on: pvenix runs show {run.run} -f")
        return ExitCode.OK
    renderer.finish(code)
    if renderer.view.end is None:
        talk(f"the run goes on: pvenix runs show {run.run} -f" if alive else f"\nhint: pvenix resume {run.run}")
    return code
