"""Reads what a run left behind for its entry in the journal. Blocks: not for an event loop."""

from __future__ import annotations

from typing import Final

from pvenix.engine.audittrail import lines_of
from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix.model.events import Command, StepEnded
from pvenix.model.inverse import Undo, Way
from pvenix.model.outcome import Status
from pvenix.model.plan import RunPlan
from pvenix_tui.backend import Backend
from pvenix_tui.models.journal import Entry, Told, told
from pvenix_tui.models.journaldetail import Details, command_of

MOST: Final = 32 << 20
"""Bytes of events; of a longer run only the end of the story is told, on its own screen."""


def read_details(backend: Backend, entry: Entry) -> Details:
    """Everything that is known of an entry beside its lines; what cannot be read is told as the problem."""
    undos = read_undos(backend, entry)
    decided = entry.lines and not any(line.step for line in entry.lines)
    if decided or not entry.run_id:
        return Details(undos=undos, command=command_of(entry, None))
    try:
        run = backend.runs.open(entry.run_id)
        plan = run.plan()
        sent, evidence = _story(run)
    except PvenixError as error:
        return Details(undos=undos, problem=f"{error}")
    command = command_of(entry, plan)
    return Details(
        undos=undos, command=command, title=plan.title, sent=sent, evidence=evidence, output=_output(run, plan)
    )


def read_undos(backend: Backend, entry: Entry) -> tuple[Undo, ...]:
    """The ways back of an entry."""
    if entry.lines:
        return backend.undos([line.record() for line in entry.lines])
    if entry.commit is not None:
        return (Undo(way=Way.REVERT, commit=entry.commit.id),)
    if entry.run is not None:
        return backend.undos_of_run(entry.run.run)
    return ()


def last_change(backend: Backend, host: str) -> tuple[Undo, ...]:
    """The ways back of the newest run, or decision, that changed a host; none when the log knows of no change.

    Raises: LocalResource.
    """
    page = backend.journal_page()
    while True:
        for record in page.records:
            if record.get("host") == host and record.get("outcome") == Status.CHANGED:
                return _of_host(backend, told(record), host)
        if not page.at:
            return ()
        page = backend.journal_page(page.at)


def _of_host(backend: Backend, line: Told, host: str) -> tuple[Undo, ...]:
    """The ways back of what a line's run did to the host, or of the line alone."""
    if not line.step:
        return backend.undos([line.record()])
    try:
        lines = lines_of(backend.runs.open(line.run))
    except PvenixError:
        return backend.undos([line.record()])
    return backend.undos([each for each in lines if each["host"] == host])


def _story(run: RunDir) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was sent to change something, and what was seen at the end of each step."""
    path = run.path / "events.jsonl"
    if path.exists() and path.stat().st_size > MOST:
        return (), ("the run is too long to be told here",)
    sent: list[str] = []
    seen: list[str] = []
    for event in run.events()[0]:
        if isinstance(event, Command) and event.writes:
            sent.append(f"{event.host} {event.channel}: {event.text}")
        elif isinstance(event, StepEnded):
            seen += [f"{event.host} {event.verb}: {event.status} {event.summary}".rstrip()]
            seen += [f"  {line}" for line in event.evidence]
    return tuple(sent), tuple(seen)


def _output(run: RunDir, plan: RunPlan) -> int:
    paths = (run.log_path(host) for host in plan.hosts)
    return sum(path.stat().st_size for path in paths if path.exists())
