"""The newest runs for the list and the column LAST RUN; a run whose files are as they were is not read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from pvenix.engine.runfiles import RunDir, RunStore, RunSummary
from pvenix.model.events import HostEnded
from pvenix_tui.models.lines import Span
from pvenix_tui.models.states import status_span

SHOWN: Final = 50
ENDS_OF: Final = 10
"""Newest runs that are read for the column LAST RUN."""
Value = TypeVar("Value")


class RecentRuns:
    """Asked every few seconds, in a thread; two that ask at once read twice at worst."""

    def __init__(self) -> None:
        self._summaries = _Kept(RunDir.summary)
        self._ends = _Kept(_ends)

    def read(self, store: RunStore) -> tuple[tuple[RunSummary, ...], dict[str, Span]]:
        """The newest runs, newest first, and how each host's last one ended. Raises: PvenixError."""
        runs = store.newest(limit=SHOWN)
        last: dict[str, Span] = {}
        for run in reversed(runs[:ENDS_OF]):
            last |= self._ends.get(run)
        return tuple(self._summaries.get(run) for run in runs), last


class _Kept(Generic[Value]):
    """What was read of each run, as long as the run's stamp stays."""

    def __init__(self, read: Callable[[RunDir], Value]) -> None:
        self._read = read
        self._kept: dict[str, tuple[object, Value]] = {}

    def get(self, run: RunDir) -> Value:
        stamp = run.stamp()
        kept = self._kept.get(run.run)
        if kept is None or kept[0] != stamp:
            kept = self._kept[run.run] = (stamp, self._read(run))
        return kept[1]


def _ends(run: RunDir) -> dict[str, Span]:
    events, _ = run.events()
    return {event.host: status_span(event.status) for event in events if isinstance(event, HostEnded)}
