"""What a host's way into the fleet has left behind so far, and the verbs that take it back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """What would have to be undone."""

    lines: tuple[str, ...]
    """In words, in the order in which it would be undone."""
    verbs: tuple[str, ...] = ()
    """What undoes it, in order; empty when nothing was made."""
    stays: tuple[str, ...] = ()
    """What no verb takes back, and what does."""
    taken_back: str = ""
    """The later run that has taken it back, empty when none has."""
