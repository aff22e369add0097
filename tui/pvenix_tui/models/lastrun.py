"""How a host's last run on this machine went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.model.outcome import Status
from pvenix_tui.models.lines import Span, Tone
from pvenix_tui.models.states import RUNNING, age, status_span

GOOD: Final = frozenset({Status.OK, Status.CHANGED, Status.SKIPPED, Status.PENDING, Status.WAITING, RUNNING})
_ORDER: Final = (
    Status.FAILED, Status.LOCAL, Status.REFUSED, Status.ROLLED_BACK, Status.UNKNOWN, Status.UNREACHABLE, Status.LOCKED,
    Status.CANCELLED, Status.WAITING, Status.PENDING, RUNNING, Status.SKIPPED, Status.CHANGED, Status.OK,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """A host's part of a run."""

    run: str
    title: str
    status: str
    """How it ended, or `running`."""
    at: str
    """UTC, ISO 8601: when it ended, or the run began."""
    summary: str = ""

    @property
    def failed(self) -> bool:
        """True when it ended, and not well."""
        return self.status not in GOOD

    @property
    def rank(self) -> int:
        """Lower is worse."""
        return _ORDER.index(self.status) if self.status in _ORDER else 0

    def span(self, now: float) -> Span:
        """The end and its age in one cell of a table."""
        word, tone = status_span(self.status)
        return (f"{word} {age(self.at, now)}", tone) if self.status != RUNNING else (word, tone)


NO_RUN: Final[Span] = ("-", Tone.DIM)


def waiting_runs(last: Iterable[LastRun]) -> tuple[str, ...]:
    """The runs that wait for a person on some host, newest first."""
    return tuple(sorted({each.run for each in last if each.status == Status.WAITING}, reverse=True))


def failed_runs(last: Iterable[LastRun]) -> tuple[str, ...]:
    """The runs that failed on a host which has had no other since, newest first."""
    return tuple(sorted({each.run for each in last if each.failed}, reverse=True))
