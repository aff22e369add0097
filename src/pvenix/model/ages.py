"""How long ago, in words."""

from __future__ import annotations

from datetime import datetime

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
