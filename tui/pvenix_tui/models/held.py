"""A key that is held down: what it does once it must not do again to what comes up meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REPEAT_S: Final = 0.5
"""The longest pause between two keys of a keyboard that repeats: the first repetition comes that late (X, Windows)."""
RATE_S: Final = 0.06
"""The longest pause between two repetitions: 25 to 40 come in a second (X, Windows), and nobody types one key so fast."""
FREE: Final = frozenset(
    {"escape", "up", "down", "left", "right", "pageup", "pagedown", "tab", "shift+tab", "backspace"}
)
"""Backing out and moving hurt nobody."""


@dataclass(slots=True)
class HeldKey:
    """The key that is down, and what was in front when it went down."""

    key: str = ""
    at: float = 0.0
    """Seconds since 1970: when it came last."""
    front: object = None

    def ignores(self, key: str, now: float, front: object, *, typing: bool = False) -> bool:
        """Whether this key is the repetition of one that was meant for something else than `front`.

        While a person is `typing` only what comes as fast as a keyboard repeats: `n` and then `nix01` is meant so.
        """
        repeated = key == self.key and now - self.at < (RATE_S if typing else REPEAT_S)
        self.at = now
        if not repeated:
            self.key, self.front = key, front
        return repeated and front is not self.front and key not in FREE
