"""The line above the footer: what a person was told last, and when that leaves the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pvenix_tui.ticker import Clock

SAID_S: Final = 6.0
"""Seconds that what was said stays."""
STAYS: Final = float("inf")
"""What went wrong is on the screen until the person leaves the screen or presses esc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the person was told last."""

    text: str
    bad: bool
    until: float
    """Seconds since 1970: when it leaves the screen."""


class Telling:
    """Who tells the person something."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.said: Said | None = None
        self.said_something: Callable[[], None] = lambda: None
        """Called when `said` changed."""

    def say(self, text: str, *, bad: bool = False) -> None:
        """Tell the person something in the line above the footer; `bad` when something could not be done."""
        self.said = Said(text=text, bad=bad, until=STAYS if bad else self.clock() + SAID_S)
        self.said_something()

    def refuse(self, text: str) -> None:
        """Say why a key does nothing now; it leaves by itself, for nothing went wrong."""
        self.say(text, bad=True)
        if self.said is not None:
            self.said = replace(self.said, until=self.clock() + SAID_S)
            self.said_something()

    def acted(self) -> None:
        """The person did something: what was said is old now, but what went wrong stays until it was dealt with."""
        if self.said is not None and self.said.until < STAYS:
            self.said = None

    def deal_with_said(self) -> bool:
        """Take back what went wrong; True when there was something to take back."""
        dealt = self.said is not None and self.said.bad
        self.said = None
        return dealt

    def left_behind(self) -> None:
        """The person goes to another screen: what went wrong on this one is not said there."""
        if self.said is not None and self.said.bad:
            self.said = None

    def forget_said(self) -> bool:
        """Take back what was said long enough ago; True when there was something to take back."""
        if self.said is None or self.clock() < self.said.until:
            return False
        self.said = None
        return True
