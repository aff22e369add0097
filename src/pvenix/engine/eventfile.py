"""The file of a run's events, one a line: written by the process of the run, read by everybody at any time."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Final

from pvenix.engine.noroom import no_room
from pvenix.model.events import Event, event_from_json

_UNWRITTEN: Final = "the run's events cannot be written"


class EventFile:
    """The events of one run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, offset: int = 0) -> tuple[list[Event], int]:
        """Whole events from byte `offset` on, and the offset behind them.

        A line that a full disk cut short is left out; the next process went on behind it.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], offset
        whole = data[: data.rfind(b"\n") + 1]
        return [event for line in whole.splitlines() if (event := _event_in(line))], offset + len(whole)

    def append(self, event: Event) -> None:
        """Add one event; a line is written with one call, so that a reader sees all of it or a line without an end.

        Raises: LocalResource when the disk does not take it.
        """
        line = (json.dumps(event.to_json(), separators=(",", ":")) + "\n").encode()
        try:
            with self._path.open("ab", buffering=0) as file:
                written = file.write(line)
        except OSError as error:
            raise no_room(_UNWRITTEN, self._path, error) from error
        if written != len(line):
            raise no_room(_UNWRITTEN, self._path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def mend(self) -> None:
        """End a line that an earlier process could not finish, so that the next event has a line of its own.

        Raises: LocalResource when the disk does not take it.
        """
        try:
            with self._path.open("ab+", buffering=0) as file:
                if file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                    file.write(b"\n")
        except OSError as error:
            raise no_room(_UNWRITTEN, self._path, error) from error


def _event_in(line: bytes) -> Event | None:
    try:
        return event_from_json(json.loads(line))
    except (ValueError, LookupError, TypeError):
        return None
