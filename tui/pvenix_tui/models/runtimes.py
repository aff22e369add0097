"""Times of a run and of its hosts."""

from __future__ import annotations

from pvenix_tui.models.run import HostRun
from pvenix_tui.models.states import clock_word, epoch


def elapsed(started_at: str, ended_at: str, now: float) -> float:
    """Seconds from a start to an end, or to now."""
    start = epoch(started_at)
    end = epoch(ended_at) if ended_at else now
    return 0.0 if start is None or end is None else max(0.0, end - start)


def host_time(host: HostRun, now: float) -> str:
    """How long a host has been at work, or was; empty before its first step."""
    return clock_word(elapsed(host.started_at, host.ended_at, now)) if host.started_at else ""
