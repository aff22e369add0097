"""Where each host was last reached from this machine, and the machine id that it had: a small file a host.

Another machine may stand in another network, so this is never part of the fleet. It only saves time: what is read here
is tried and proved with the pinned host key, never believed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from pvenix.model.names import host_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was seen of a host."""

    address: str = ""
    """Where it proved to be itself; empty when that no longer holds."""
    at: str = ""
    """UTC, ISO 8601: when the address was chosen."""
    why: str = ""
    """How it was chosen, in words."""
    machine_id: str = ""


class Sightings:
    """The files; without a directory everything is kept in memory only."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._known: dict[str, Sighting] = {}

    def get(self, host: str) -> Sighting:
        """What was seen of a host last; all empty when nothing was, or its file cannot be read."""
        if self._directory is None:
            return self._known.get(host, Sighting())
        with contextlib.suppress(OSError, ValueError):
            return _parse(json.loads((self._directory / host_name(host)).read_text(encoding="utf-8")))
        return Sighting()

    def all(self) -> Mapping[str, Sighting]:
        """Every host that was seen."""
        if self._directory is None:
            return dict(self._known)
        names = [path.name for path in self._directory.glob("[!.]*")] if self._directory.is_dir() else []
        return {name: self.get(name) for name in sorted(names)}

    def reached(self, host: str, *, address: str, at: str, why: str) -> None:
        """Remember where a host proved to be itself."""
        self._put(host, replace(self.get(host), address=address, at=at, why=why))

    def lost(self, host: str) -> None:
        """Forget where a host was."""
        known = self.get(host)
        if known.address:
            self._put(host, replace(known, address="", at="", why=""))

    def booted(self, host: str, *, machine_id: str) -> None:
        """Remember the host's machine id."""
        self._put(host, replace(self.get(host), machine_id=machine_id))

    def forget(self, host: str) -> None:
        """Drop everything, as when its VM was destroyed."""
        self._known.pop(host, None)
        if self._directory is not None:
            with contextlib.suppress(OSError):
                (self._directory / host_name(host)).unlink()

    def _put(self, host: str, sighting: Sighting) -> None:
        if self._directory is None:
            self._known[host] = sighting
            return
        with contextlib.suppress(OSError):  # the next command looks for itself then
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self._directory / f".{host_name(host)}"
            temporary.write_text(json.dumps(asdict(sighting)) + "\n", encoding="utf-8")
            temporary.replace(self._directory / host_name(host))


def _parse(document: object) -> Sighting:
    """The sighting in a file; without its address when that is none, or nobody knows when it was chosen."""
    if not isinstance(document, dict):
        return Sighting()
    known = {field.name for field in fields(Sighting)}
    read = Sighting(**{key: value for key, value in document.items() if key in known and isinstance(value, str)})
    try:
        ipaddress.ip_address(read.address)
        timed = datetime.fromisoformat(read.at).tzinfo is not None
    except ValueError:
        timed = False
    return read if timed else Sighting(machine_id=read.machine_id)
