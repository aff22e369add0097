"""A host's part of past runs, from the files of the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.errors import LocalResource
from pvenix.model.events import HostEnded, RunStarted
from pvenix_tui.models.lines import Column, Span, Tone
from pvenix_tui.models.states import age, clock_word, epoch, status_span

RUN_COLUMNS: Final = (
    Column(title="RESULT", width=13),
    Column(title="AGE", width=4),
    Column(title="TOOK", width=7, keep=1),
    Column(title="RUN", width=20, grow=2),
    Column(title="", width=10, grow=3, keep=2, prose=True),
)
_LOOKED: Final = 200
"""How many of the newest runs are looked at."""
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPart:
    """A host's part of one run."""

    run: str
    title: str
    status: str
    """How it ended, else the state of the run."""
    began: str
    """UTC, ISO 8601; empty for a run that never began."""
    seconds: float | None
    summary: str


def parts_of(runs: RunStore, host: str) -> tuple[HostPart, ...]:
    """The newest runs that the host was part of; runs that cannot be read are left out."""
    found: list[HostPart] = []
    for run in runs.newest(limit=_LOOKED):
        part = _part(run, host)
        if part is not None:
            found.append(part)
        if len(found) == _SHOWN:
            break
    return tuple(found)


def _part(run: RunDir, host: str) -> HostPart | None:
    try:
        plan = run.plan()
    except LocalResource:
        return None
    if host not in plan.hosts:
        return None
    events, _ = run.events()
    began = next((event.at for event in events if isinstance(event, RunStarted)), "")
    ended = next((event for event in reversed(events) if isinstance(event, HostEnded) and event.host == host), None)
    start, end = epoch(began), epoch(ended.at) if ended else None
    return HostPart(
        run=run.run,
        title=plan.title,
        status=ended.status if ended else run.summary().state,
        began=began,
        seconds=None if start is None or end is None else max(0.0, end - start),
        summary=ended.summary if ended else "",
    )


def run_cells(part: HostPart, now: float) -> tuple[Span, ...]:
    """The table's cells for a host's part of a run."""
    return (
        status_span(part.status),
        (age(part.began, now), Tone.DIM),
        ("" if part.seconds is None else clock_word(part.seconds), Tone.PLAIN),
        (part.title, Tone.STRONG),
        (part.summary, Tone.DIM),
    )
