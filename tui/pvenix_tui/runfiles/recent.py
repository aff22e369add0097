"""The newest runs for the list and the column LAST RUN; a run whose files are as they were is not read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pvenix.model.outcome import Status
from pvenix_tui.models.lastrun import LastRun
from pvenix_tui.models.states import RUNNING

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir, RunStore, RunSummary

SHOWN: Final = 50
ENDS_OF: Final = 20
"""Newest runs that are read for the column LAST RUN."""
Value = TypeVar("Value")


class RecentRuns:
    """Asked every few seconds, in a thread; two that ask at once read twice at worst."""

    def __init__(self) -> None:
        self._summaries: _Kept[RunSummary] = _Kept(lambda run: run.summary())
        self._ends = _Kept(_ends)

    def read(self, store: RunStore) -> tuple[tuple[RunSummary, ...], dict[str, LastRun]]:
        """The newest runs, newest first, and how each host's last one went. Raises: PvenixError."""
        runs = store.newest(limit=SHOWN)
        last: dict[str, LastRun] = {}
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


def _ends(run: RunDir) -> dict[str, LastRun]:
    """Each host that a run is through with, or, while it lives, at work on."""
    from pvenix.model.events import HostEnded, RunStarted, StepEnded, StepStarted, StepWaiting

    events, _ = run.events()
    title = next((event.title for event in events if isinstance(event, RunStarted)), "")
    alive = run.alive()
    found: dict[str, LastRun] = {}
    said: dict[str, str] = {}
    for event in events:
        match event:
            case StepEnded():
                said[event.host] = event.summary
            case StepStarted() if alive:
                found[event.host] = LastRun(run=run.run, title=title, status=RUNNING, at=event.at)
            case StepWaiting() if alive:
                found[event.host] = LastRun(
                    run=run.run, title=title, status=Status.WAITING, at=event.at, summary=event.reason
                )
            case HostEnded():
                summary = event.summary or said.get(event.host, "")
                found[event.host] = LastRun(run=run.run, title=title, status=event.status, at=event.at, summary=summary)
    return found
