"""What the TUI remembers of a person's last look at a fleet: filters, order, marks, where they were."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pvenix.engine.filelock import take

_log = logging.getLogger(__name__)
Remembered = str | int | bool | list[str] | dict[str, str]
NAME: Final = "tui-memory.json"
_LOCK: Final = "tui-memory.lock"
_COLLECTIONS: Final = frozenset({"fleet.filters", "review.seen", "review.acknowledged"})
"""Tables of things that do not depend on each other, such as saved filters; any other table is one value."""


class Memory:
    """Small values by name, kept in the fleet's state directory; losing them costs nothing but keystrokes.

    Several windows share the file: each writes only what it changed itself, and of a collection only the entries that
    it changed, so the last one wins by name and entry. A window goes on with its own values until it ends.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._values: dict[str, object] = {}
        self._kept: dict[str, object] = {}
        """The values when they were last read or written: what differs is what this window changed."""
        self._writing = threading.Lock()
        self._refused = False

    def open(self, folder: Path) -> None:
        """Read what was kept in `folder`, and keep what comes there; what was set before wins.

        A file that cannot be read, or is not ours, is as none.
        """
        self._path = folder / NAME
        found = _read(self._path)
        if found is not None:
            self._values = merged(found, self._kept, self._values)
            self._kept = found

    def text(self, name: str) -> str:
        """A text, empty when none is known."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """A whole number, 0 when none is known."""
        value = self._values.get(name)
        return value if isinstance(value, int) else 0

    def names(self, name: str) -> list[str]:
        """A list of texts, empty when none is known."""
        value = self._values.get(name)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    def table(self, name: str) -> dict[str, str]:
        """Texts by name, empty when none are known."""
        value = self._values.get(name)
        return {key: each for key, each in value.items() if isinstance(each, str)} if isinstance(value, dict) else {}

    def keep(self, name: str, value: Remembered) -> None:
        """Remember a value from now on."""
        self._values[name] = value.copy() if isinstance(value, list | dict) else value

    @property
    def changed(self) -> bool:
        """Whether something was set that is not on the disk."""
        return self._path is not None and self._values != self._kept

    def save(self) -> None:
        """Write what was changed, whole or not at all; a disk that does not take it is only logged, once.

        Another thread may set values meanwhile. A window that was stopped while it wrote is waited for 50 ms.
        """
        if self._path is None:
            return
        with self._writing:
            values = self._values.copy()
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(os.open(self._path.with_name(_LOCK), os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
                    take(lock)
                    found = _read(self._path)
                    _write(self._path, values if found is None else merged(found, self._kept, values))
            except OSError as error:
                if not self._refused:
                    _log.warning("%s cannot be written: %s", self._path, error)
                self._refused = True
            else:
                self._kept, self._refused = values, False


def merged(found: Mapping[str, object], before: Mapping[str, object], now: Mapping[str, object]) -> dict[str, object]:
    """`found`, with what differs between `before` and `now`."""
    changed = {name: value for name, value in now.items() if name not in before or value != before[name]}
    for name in _COLLECTIONS & changed.keys():
        there, was, value = found.get(name), before.get(name, {}), changed[name]
        if isinstance(there, dict) and isinstance(was, dict) and isinstance(value, dict):
            others = {key: each for key, each in there.items() if key in value or key not in was}
            changed[name] = others | {key: each for key, each in value.items() if was.get(key) != each}
    return {**found, **changed}


def _read(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("%s is left aside: %s", path, error)
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, values: Mapping[str, object]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
    temporary.replace(path)
