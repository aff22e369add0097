"""Glyph, word and tone of every state; never the tone alone, and no glyph twice among what stands in one column."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pvenix.model.generation import Sync
from pvenix.model.outcome import Status
from pvenix.model.review import Verdict
from pvenix_tui.models.lines import Span, Tone

QUEUED: Final = "queued"
RUNNING: Final = "running"

_SYNC: Final = {
    Sync.IN_SYNC: ("+", Tone.OK),
    Sync.STAGED: ("^", Tone.ACCENT),
    Sync.TESTING: ("=", Tone.ACCENT),
    Sync.BEHIND: ("<", Tone.WARN),
    Sync.DRIFTED: ("~", Tone.WARN),
    Sync.REBOOT: ("!", Tone.WARN),
    Sync.UNREGISTERED: ("#", Tone.ACCENT),
    Sync.UNREACHABLE: ("o", Tone.BAD),
    Sync.ABSENT: (".", Tone.DIM),
    Sync.UNKNOWN: ("?", Tone.WARN),
}
_STATUS: Final = {
    Status.OK: ("=", Tone.OK),
    Status.CHANGED: ("+", Tone.OK),
    Status.PENDING: ("^", Tone.ACCENT),
    Status.SKIPPED: ("-", Tone.DIM),
    Status.WAITING: ("!", Tone.WARN),
    Status.FAILED: ("x", Tone.BAD),
    Status.UNREACHABLE: ("o", Tone.BAD),
    Status.REFUSED: ("|", Tone.BAD),
    Status.UNKNOWN: ("?", Tone.WARN),
    Status.ROLLED_BACK: ("<", Tone.WARN),
    Status.LOCKED: ("#", Tone.WARN),
    Status.LOCAL: ("@", Tone.BAD),
    Status.CANCELLED: ("/", Tone.WARN),
}
_OTHER: Final = {
    QUEUED: (".", Tone.DIM),
    RUNNING: ("%", Tone.BUSY),
    "starting": (":", Tone.DIM),
    "ended": ("_", Tone.PLAIN),
    "interrupted": ("~", Tone.WARN),
    "abandoned": (",", Tone.DIM),
    "unreadable": ("&", Tone.BAD),
}
_REVIEW: Final = {
    "open": (".", Tone.ACCENT),
    "approved": ("+", Tone.OK),
    "rejected": ("x", Tone.BAD),
    "merged": ("-", Tone.DIM),
}
_VERDICT: Final = {Verdict.PASS: ("+", Tone.OK), Verdict.WARN: ("!", Tone.WARN), Verdict.FAIL: ("x", Tone.BAD)}


def sync_span(sync: Sync | None, *, stale: bool = False) -> Span:
    """A host's state, `?` when it was not read yet; a stale one has a question mark behind it."""
    if sync is None:
        return ("  not read yet", Tone.DIM)
    glyph, tone = _SYNC[sync]
    return (f"{glyph} {sync.value}{'?' if stale else ''}", Tone.DIM if stale else tone)


def status_span(status: str) -> Span:
    """The end of a step, of a host or of a run, or what it is doing."""
    try:
        glyph, tone = _STATUS[Status(status)]
    except ValueError:
        glyph, tone = (_OTHER | _REVIEW).get(status, ("?", Tone.WARN))
    return (f"{glyph} {status}", tone)


def verdict_span(verdict: Verdict) -> Span:
    """What a check found."""
    glyph, tone = _VERDICT[verdict]
    return (f"{glyph} {verdict.value}", tone)


def epoch(stamp: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time, None when it is none; without a zone it counts as UTC."""
    try:
        parsed = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def age(stamp: str, now: float) -> str:
    """How long ago an ISO 8601 time was, such as `12s`, `4m`, `3h`, `9d`; empty when it is none."""
    at = epoch(stamp)
    return "" if at is None else duration_word(max(0.0, now - at))


def duration_word(seconds: float) -> str:
    """A duration in its largest unit, rounded down."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def clock_word(seconds: float) -> str:
    """A duration as minutes and seconds, with hours when there are any."""
    total = int(max(0.0, seconds))
    hours, minutes = divmod(total // 60, 60)
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes:02}:{total % 60:02}"
