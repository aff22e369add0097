"""What this process asked of machines, the newest calls of it: for a person who wants to see what a screen costs.

The adapters tell; nobody listens until a front end says `keep`. A run's own commands are in its events.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pvenix.model.secret import KNOWN

KEPT: Final = 1000
TEXT_LIMIT: Final = 400
"""Characters of a call that are kept."""


class Channel(StrEnum):
    """How something was asked."""

    API = "api"
    SSH = "ssh"
    GIT = "git"


@dataclass(slots=True, kw_only=True)
class Call:
    """One call; without secrets that this process knows."""

    number: int
    """How many were made before it."""
    at: float
    """Seconds since 1970."""
    channel: Channel
    host: str
    """Empty for git on this machine."""
    text: str
    seconds: float | None = None
    """None while it is under way."""
    result: str = ""
    """`ok`, `exit 1`, or what went wrong."""
    bad: bool = False

    def ended(self, result: str, *, bad: bool = False) -> None:
        """Say how it ended; said once, before the call is left."""
        self.result, self.bad = KNOWN.clean(result)[:TEXT_LIMIT], bad


class CallLog:
    """A ring of calls; one for each process, as are its connections."""

    def __init__(self) -> None:
        self.total = 0
        self.changes = 0
        """Grows with every beginning and end: what was drawn of this number is not old."""
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._kept = False

    def keep(self) -> None:
        """Keep calls from now on."""
        self._kept = True

    @property
    def calls(self) -> tuple[Call, ...]:
        """The newest calls, oldest of them first."""
        return tuple(self._calls)

    @property
    def under_way(self) -> tuple[Call, ...]:
        """Those of them that have not ended."""
        return tuple(call for call in self._calls if call.seconds is None)

    @contextmanager
    def call(self, channel: Channel, host: str, text: str) -> Iterator[Call]:
        """A call for the length of the block; an exception that leaves it is its result."""
        clean = KNOWN.clean(text[: 4 * TEXT_LIMIT])[:TEXT_LIMIT] if self._kept else ""
        call = Call(number=self.total, at=time.time(), channel=channel, host=host, text=clean)
        started = time.monotonic()
        if self._kept:
            self.total += 1
            self.changes += 1
            self._calls.append(call)
        try:
            yield call
        except BaseException as error:  # raised again: a call that was cancelled has its end, too
            call.ended(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, bad=True)
            raise
        finally:
            call.seconds = time.monotonic() - started
            call.result = call.result or "ok"
            self.changes += 1


CALLS: Final = CallLog()
"""This process's."""
