"""What the TUI remembers of a person's last look at a fleet: filters, order, marks, where they were."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
Remembered = str | int | bool | list[str] | dict[str, str]
NAME: Final = "tui-memory.json"


class Memory:
    """Small values by name, kept in the fleet's state directory; losing them costs nothing but keystrokes."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._values: dict[str, object] = {}

    def open(self, folder: Path) -> None:
        """Read what was kept in `folder`, and keep what comes there; what was set before wins.

        A file that cannot be read, or is not ours, is as none.
        """
        self._path = folder / NAME
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("%s is left aside: %s", self._path, error)
            return
        if isinstance(found, dict):
            self._values = found | self._values

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
        self._values[name] = value

    def save(self) -> None:
        """Write everything, whole or not at all; a disk that does not take it is only logged."""
        if self._path is None:
            return
        temporary = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self._values, file, indent=1)
            temporary.replace(self._path)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)
