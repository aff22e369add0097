"""What each host was when it last answered: one file, shown with its age while a host does not answer.

As with `sightings`, nothing is decided by what is read here. Two processes that save at the same moment may lose what one
of them read; the next look finds it again.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from pvenix.model.status import HostStatus, from_json, to_json


class Readings:
    """The file; without one everything is kept in memory only."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known = _read(file)
        self._new: dict[str, HostStatus | None] = {}

    def get(self, host: str) -> HostStatus | None:
        """The last reading in which the host answered; None when there is none, or it cannot be read."""
        if host in self._new:
            return self._new[host]
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return from_json(self._known[host])
        return None

    def put(self, status: HostStatus) -> None:
        """Remember a reading in which the host answered."""
        self._new[status.host] = status

    def forget(self, host: str) -> None:
        """Drop what was known, as when the host has no VM any more."""
        self._new[host] = None

    def save(self) -> None:
        """Bring what is new into the file, beside what other processes have brought there since."""
        if self._file is None or not self._new:
            return
        known = _read(self._file)
        known |= {host: to_json(status) for host, status in self._new.items() if status is not None}
        for host in [host for host, status in self._new.items() if status is None]:
            known.pop(host, None)
        with contextlib.suppress(OSError):  # what is not remembered is not shown, and nothing else depends on it
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self._file.with_name(f".{self._file.name}-{os.getpid()}")
            temporary.write_text(json.dumps(known) + "\n", encoding="utf-8")
            temporary.replace(self._file)


def _read(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
