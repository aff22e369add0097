"""How long ago, and when, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_UNITS = (("day", 86400, 2 * 86400), ("hour", 3600, 2 * 3600), ("minute", 60, 120), ("second", 1, 0))
"""Name, seconds, and from how many seconds on it is used: `90 minutes` says more than `1 hour`."""


def age_words(seconds: float) -> str:
    """A length of time such as `4 minutes`."""
    whole = max(0, int(seconds))
    name, size, _ = next(unit for unit in _UNITS if whole >= unit[2])
    count = whole // size
    return f"{count} {name}{'' if count == 1 else 's'}"


def since_words(since: str, now: str) -> str:
    """`since 4 minutes`, from two moments in ISO 8601; the moment itself when it cannot be read."""
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return f"since {since or 'a moment that nobody wrote down'}"
    return f"since {age_words(seconds)}"


def moment_words(at: str) -> str:
    """`2026-11-21 01:10 UTC`, from a moment in ISO 8601; as it is when it cannot be read.

    For text that is kept and read later and elsewhere: an age would grow wrong, and a local time would not say where.
    """
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d %H:%M} UTC"


_DECIDED: Final = re.compile(r"^((?:approved|rejected) by .+?) at (\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00))(?=: |$)")
"""A decision about a branch, as its note has it; behind the moment stands what the person said."""


def decided_words(note: str, when: Callable[[str], str] = lambda at: f" at {moment_words(at)}") -> str:
    """A line of a branch's notes with the moment of its decision as `when` says it; any other line as it is."""
    return _DECIDED.sub(lambda found: found[1] + when(found[2]), note)
