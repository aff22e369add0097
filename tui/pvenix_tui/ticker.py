"""One clock for everything that moves: visible views that have something new are drawn at most 20 times a second."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

RATE_HZ: Final = 20
LATE_S: Final = 0.020
"""When of a hundred beats five come later than this, the terminal or the machine does not keep up."""
WATCHED: Final = 2 * RATE_HZ
"""Beats that are looked at: two seconds."""
SLOWEST: Final = 4
"""The most beats to one tick."""
IDLE_BEATS: Final = RATE_HZ
Clock = Callable[[], float]
"""Seconds since 1970."""


class View(Protocol):
    """Something that polls a source and draws what is new."""

    def ticking(self) -> bool:
        """True while the view is on the screen."""

    def tick(self) -> None:
        """Poll, and ask for a repaint when something changed."""


class Ticker:
    """Calls the visible views, less often while the loop is late; tests call `tick` by hand."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._views: list[View] = []
        self._monotonic = monotonic
        self._last = 0.0
        self._late: deque[float] = deque(maxlen=WATCHED)
        self._beats = 0
        self._idle = 0
        self.stride = 1
        """Beats to a tick: 1, 2 or 4."""

    def add(self, view: View) -> None:
        """Tick `view` from now on."""
        self._views.append(view)

    def remove(self, view: View) -> None:
        """Leave `view` alone from now on."""
        self._views = [other for other in self._views if other is not view]

    def tick(self) -> bool:
        """Tick each view that shows; False when there was none."""
        showing = [view for view in self._views if view.ticking()]
        for view in showing:
            view.tick()
        return bool(showing)

    def beat(self) -> None:
        """One beat of the timer, RATE_HZ a second: a tick, unless beats came late of late."""
        now = self._monotonic()
        if self._last:
            self._late.append(max(0.0, now - self._last - 1 / RATE_HZ))
        self._last = now
        self._adapt()
        self._beats += 1
        if self._beats % self.stride == 0:
            self._rest(idle=not self.tick())

    def _adapt(self) -> None:
        """Halve the rate when more than one of twenty beats was late; double it after two seconds without."""
        if len(self._late) < WATCHED:
            return
        late = sorted(self._late)[-1 - WATCHED // 20]
        stride = min(SLOWEST, self.stride * 2) if late > LATE_S else max(1, self.stride // 2)
        if stride != self.stride:
            self.stride = stride
            self._late.clear()

    def _rest(self, *, idle: bool) -> None:
        """Collect garbage once when nothing has moved for a second: it would be felt later, in the middle of a key."""
        self._idle = self._idle + 1 if idle else 0
        if self._idle == IDLE_BEATS:
            gc.collect(1)
