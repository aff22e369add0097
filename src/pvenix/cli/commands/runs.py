"""`pvenix runs`: what was done, what is being done, and words to a run."""

from __future__ import annotations

import dataclasses
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pvenix.cli.commands.resume import go_on
from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.render.choose import make_renderer
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import clean
from pvenix.engine.audit import AuditLog
from pvenix.engine.journalfile import read_entries
from pvenix.engine.logparts import log_in_words
from pvenix.engine.requests import Ask
from pvenix.engine.retention import prunable, prune, retention
from pvenix.engine.skipping import refused
from pvenix.model.ages import since_words
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.events import RunEnded
from pvenix.model.nearest import did_you_mean
from pvenix.operator import operator

if TYPE_CHECKING:
    from pvenix.cli.render.base import Renderer
    from pvenix.engine.runfiles import RunDir
    from pvenix.wiring import Workspace

RUN = click.argument("run", help="The run's id, or `last`.")
_LOOK_S = 0.1


@click.group(
    "runs",
    cls=Group,
    examples=("pvenix runs list", "pvenix runs show last", "pvenix runs show last -f", "pvenix runs locks"),
)
def command() -> None:
    """List and show runs, follow one that goes on, and ask it to stop, hold or go on; throw old ones away."""


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
            f"{each.title} (again, after {each.origin})" if each.origin else each.title,
        )
        for each in summaries
    ]
    header = ("RUN", "STATE", "EXIT", "HOSTS", "RESULT", "TITLE")
    show_rows(settings, "runs", [dataclasses.asdict(each) for each in summaries], header, rows, status=1)


@command.command(
    "show",
    examples=(
        "pvenix runs show last",
        "pvenix runs show last --log dns01 --step rebuild",
        "pvenix runs show last -o jsonl",
        "pvenix runs show last -f",
    ),
)
@RUN
@click.option("--log", "host", metavar="HOST", default="", help="Print the output of this host instead.")
@click.option("--step", metavar="STEP", default="", help="Of that output only this step's, such as 0.3.boot or boot.")
@click.option("-f", "--follow", is_flag=True, help="Stay until the run ends.")
@click.pass_obj
def show(settings: Settings, /, *, run: str, host: str, step: str, follow: bool) -> int:
    """Show the steps of a run and how they ended; with -f the exit code is the run's. `-o jsonl` prints its events."""
    if step and not host:
        raise UsageError("--step is of a host's output", hint=f"pvenix runs show {run} --log HOST --step {step}")
    with settings.workspace() as workspace:
        directory = workspace.runs.open(run)
        if host:
            _show_log(directory, host, step)
            return ExitCode.OK
        code = _watch(directory, make_renderer(settings, diff=directory.plan().diff), follow=follow)
        if not directory.alive():
            for undo in workspace.undos_of_run(directory.run):
                talk(f"undo: {clean(undo.told)}")
        return code if follow else ExitCode.OK


@command.command("locks", examples=("pvenix runs locks", "pvenix runs locks -o json"))
@click.pass_obj
def locks(settings: Settings, /) -> None:
    """List the hosts that a run of this machine works on now: whose run it is, and since when."""
    with settings.workspace() as workspace:
        holders = workspace.lock_holders()
    now = datetime.now(UTC).isoformat()
    rows = [(each.host, each.run, each.operator, since_words(each.since, now), each.pid) for each in holders]
    header = ("HOST", "RUN", "OPERATOR", "HELD", "PROCESS")
    show_rows(settings, "locks", [dataclasses.asdict(each) for each in holders], header, rows)


@command.command("prune", examples=("pvenix runs prune -C", "pvenix runs prune --keep 50 --older-than 30d"))
@click.option(
    "--keep", type=click.IntRange(0), help="Keep the newest N whatever their age. [env: PVENIX_RUNS_KEEP, or 200]"
)
@click.option(
    "--older-than", metavar="DAYS", default="", help="Keep what is younger. [env: PVENIX_RUNS_OLDER_THAN, or 90d]"
)
@click.option("-C", "--check", is_flag=True, help="List what would go, and throw nothing away.")
@click.pass_obj
def throw_away(settings: Settings, /, *, keep: int | None, older_than: str, check: bool) -> int:
    """Throw away runs that are neither among the newest N nor young, as the start of each run does too.

    A run that is at work, was interrupted, waits for somebody, or has an open end is kept in any case; the audit log keeps
    its lines for ever.
    """
    policy, now = retention(os.environ, keep=keep, older_than=older_than), datetime.now(UTC)
    with settings.workspace() as workspace:
        if check:
            gone = tuple(str(run.run) for run in prunable(workspace.runs, policy, now=now))
        else:
            gone = prune(workspace.runs, policy, AuditLog(workspace.state_dir), now=now)
    document = {"pruned": list(gone), "check": check, "keep": policy.keep, "days": policy.days}
    words = "would go" if check else "thrown away"
    count = f"{len(gone)} run{'' if len(gone) == 1 else 's'} {words}; the newest {policy.keep} and those of the last "
    show_document(settings, "pruned", document, "\n".join([*gone, f"{count}{policy.days} days stay"]))
    return ExitCode.CHANGES if check and gone else ExitCode.OK


@command.command("skip", examples=("pvenix runs skip last dns01", "pvenix runs skip last dns01 --step 0.8.build"))
@RUN
@click.argument("host", help="The host.")
@click.option("--step", metavar="STEP", default="", help="Only if it stands at this step, such as 0.8.build.")
@click.pass_obj
def skip(settings: Settings, /, *, run: str, host: str, step: str) -> int:
    """Go on without the step at which a host waits, or which it failed. What later steps need is not skipped.

    A run that is at work goes on by itself; one that ended, or died, is gone on with here, for this host.
    """

    async def action(workspace: Workspace) -> int:
        found = workspace.runs.open(run)
        if found.alive():
            wanted = refused(found.plan(), host, step, read_entries(found.journal_path))
            found.request(Ask.SKIP, host, step=wanted, by=operator())
            talk(f"asked run {found.run}: go on with {host} without {wanted}")
            return ExitCode.OK
        left_out = await workspace.skip(found, host, step)
        talk(f"{host} goes on without {left_out}")
        return await go_on(settings, workspace, found, only=(host,))

    return settings.run_async(action)


@command.command("ask", examples=("pvenix runs ask last cancel", "pvenix runs ask last retry --host dns01"))
@RUN
@click.argument(
    "what", type=click.Choice([each.value for each in Ask if each is not Ask.SKIP]), help="What to ask for."
)
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


def _show_log(run: RunDir, host: str, step: str) -> None:
    """Write a host's output to stdout as it was captured, which made it safe for a terminal; each step headed in words."""
    hosts = run.plan().hosts
    if host not in hosts:
        raise UsageError(f"{host} is not in this run", hint=did_you_mean(host, hosts))
    text = log_in_words(run, host, step)
    if not text:
        talk(f"{host} has printed nothing in this run")
    click.echo(text, nl=False)


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
