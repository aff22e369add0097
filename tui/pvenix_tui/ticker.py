"""One clock for everything that moves: visible views that have something new are drawn at most 20 times a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

RATE_HZ: Final = 20
Clock = Callable[[], float]
"""Seconds since 1970."""


class View(Protocol):
    """Something that polls a source and draws what is new."""

    def ticking(self) -> bool:
        """True while the view is on the screen."""

    def tick(self) -> None:
        """Poll, and ask for a repaint when something changed."""


class Ticker:
    """Calls the visible views; tests call `tick` by hand instead of running it on a timer."""

    def __init__(self) -> None:
        self._views: list[View] = []

    def add(self, view: View) -> None:
        """Tick `view` from now on."""
        self._views.append(view)

    def remove(self, view: View) -> None:
        """Leave `view` alone from now on."""
        self._views = [other for other in self._views if other is not view]

    def tick(self) -> None:
        """Tick each view that shows."""
        for view in tuple(self._views):
            if view.ticking():
                view.tick()
