"""A VM's notes: what people wrote there, and the few lines in which pvenix says whose VM it is and what it last wrote.

Our lines begin with `pvenix-`, one key each. Everything else is somebody's text and keeps every byte, wherever it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

LIMIT: Final = 8192
"""Characters that Proxmox takes as notes (`description` of `PUT /nodes/{node}/qemu/{vmid}/config`)."""
_KEYS: Final = ("host", "fleet", "run", "applied")
_OURS: Final = re.compile(rf"pvenix-({'|'.join(_KEYS)}): (.*)", re.DOTALL)
_LIKE_OURS: Final = re.compile(rf"^(?=pvenix-(?:{'|'.join(_KEYS)}): )", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """The notes of a VM, taken apart."""

    above: str = ""
    """Somebody's text over our lines, with the line end before them."""
    below: str = ""
    """Somebody's text under our first line, with the line end after ours."""
    host: str = ""
    """The host whose VM it is; empty when pvenix never marked it."""
    fleet: str = ""
    run: str = ""
    applied: Mapping[str, str] = field(default_factory=dict)
    """What pvenix last wrote, by field (`pvenix.lifecycle.fields.wanted.Wanted.id`); empty when nothing was recorded."""

    @property
    def text(self) -> str:
        """All that is not ours."""
        return (self.above + self.below).strip("\n")

    @override
    def __str__(self) -> str:
        """The notes as Proxmox keeps them; what was applied is left out when there is no room for it."""
        whole = self._joined((*self._marks(), *self._record()))
        return whole if len(whole) <= LIMIT else self._joined(self._marks())

    def _marks(self) -> tuple[str, ...]:
        marks = {"host": self.host, "fleet": self.fleet, "run": self.run}
        return tuple(f"pvenix-{key}: {value}" for key, value in marks.items() if value)

    def _record(self) -> tuple[str, ...]:
        if not self.applied:
            return ()
        return (f"pvenix-applied: {json.dumps(dict(sorted(self.applied.items())), separators=(',', ':'))}",)

    def _joined(self, ours: tuple[str, ...]) -> str:
        between = "\n" if ours and self.above and not self.above.endswith("\n") else ""
        return self.above + between + "\n".join(ours) + self.below


def parse(description: str) -> Notes:
    """The notes in a VM's `description`; of our lines the first of each key counts, and no text is an error."""
    lines = description.split("\n")
    ours: dict[str, str] = {}
    first, others = len(lines), dict[int, str]()
    for number, line in enumerate(lines):
        match = _OURS.fullmatch(line.rstrip("\r"))  # as an editor on Windows leaves them
        if match and match[1] not in ours:
            ours[match[1]] = match[2]
            first = min(first, number)
        else:
            others[number] = line
    above = "".join(f"{line}\n" for number, line in others.items() if number < first)
    return Notes(
        above=above if ours else description,
        below="".join(f"\n{line}" for number, line in others.items() if number > first),
        host=ours.get("host", ""),
        fleet=ours.get("fleet", ""),
        run=ours.get("run", ""),
        applied=_applied(ours.get("applied", "")),
    )


def inert(text: str) -> str:
    """`text` in which no line passes for one of ours."""
    return _LIKE_OURS.sub(" ", text)


def _applied(text: str) -> dict[str, str]:
    """The record, empty when somebody spoilt it: then nothing is known of what was written."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return {}
    return found
