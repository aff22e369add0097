"""A host's part of past runs, from the files of the runs."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Final

from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.errors import LocalResource
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
    began, ended = _ends(run, host)
    start, end = epoch(began), epoch(str(ended.get("at", "")))
    return HostPart(
        run=run.run,
        title=plan.title,
        status=str(ended.get("status", "")) or run.summary().state,
        began=began,
        seconds=None if start is None or end is None else max(0.0, end - start),
        summary=str(ended.get("summary", "")),
    )


def _ends(run: RunDir, host: str) -> tuple[str, dict[str, object]]:
    """When the run began, and the last event of the host's end; of a run over hundreds only these lines are parsed."""
    wanted = (b'"host.ended"', json.dumps(host).encode())
    began, ended = "", dict[str, object]()
    with contextlib.suppress(OSError), (run.path / "events.jsonl").open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):  # a line that a full disk cut short
                if not began:
                    began = str(json.loads(line).get("at", ""))
                elif all(word in line for word in wanted):
                    found = json.loads(line)
                    ended = found if (found.get("host"), found.get("kind")) == (host, "host.ended") else ended
    return began, ended


def run_cells(part: HostPart, now: float) -> tuple[Span, ...]:
    """The table's cells for a host's part of a run."""
    return (
        status_span(part.status),
        (age(part.began, now), Tone.DIM),
        ("" if part.seconds is None else clock_word(part.seconds), Tone.PLAIN),
        (part.title, Tone.STRONG),
        (part.summary, Tone.DIM),
    )
