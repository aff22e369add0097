"""A fault before it is armed, and one that is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pvenix_lab.site.armed.spec import Arg, Face, Kind, Value, nearest

Undo = Callable[[], object]
Begin = Callable[[Any, "Fault"], Undo | None]  # Any: a Site, which stands above this module
"""What a state or an event does to the site; a state's gives back what ends it."""
FOREVER = 0
"""`times` of a fault that stays until it is cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One fault of the catalogue."""

    name: str
    rows: tuple[str, ...] = ()
    """The rows of docs/faults.md that it shows."""
    what: str
    args: tuple[Arg, ...] = ()
    face: Face
    kind: Kind = Kind.OCCASION
    begin: Begin | None = None
    needs_host: bool = False

    def parse(self, given: Mapping[str, object]) -> dict[str, Value]:
        """The arguments that were given, each of its type.

        Raises:
            ValueError: one that the fault does not have, or of the wrong type; the text names the valid ones.
        """
        known = {arg.name: arg for arg in self.args}
        for name in given:
            if name not in known:
                valid = ", ".join(f"{arg.name} ({arg.type})" for arg in self.args) or "none"
                raise ValueError(f"fault {self.name!r} has no argument {name!r}{nearest(name, known)}; it has: {valid}")
        try:
            return {name: known[name].parse(value) for name, value in given.items()}
        except ValueError as error:
            raise ValueError(f"fault {self.name!r}: {error}") from None

    def as_dict(self) -> dict[str, object]:
        """The fault as `pvenix lab fault --list` shows it."""
        return {
            "name": self.name,
            "rows": list(self.rows),
            "what": self.what,
            "face": self.face.value,
            "kind": self.kind.value,
            "arguments": [
                {"name": arg.name, "type": arg.type, "default": arg.default, "what": arg.what} for arg in self.args
            ],
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    """One armed fault; `remaining` counts down to disappearance, FOREVER (0) means until cleared.

    `opens` and `closes` are times of the site's clock, `nth` the first matching occasion that it strikes, `chance` the
    probability with which it strikes each further one.
    """

    spec: Spec
    host: str | None
    remaining: int
    args: dict[str, object] = field(default_factory=dict)
    nth: int = 1
    chance: float = 1.0
    opens: float = 0.0
    closes: float = float("inf")
    seen: int = 0
    serial: int = 0
    began: bool = False
    undo: Undo | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.spec.name

    def matches(self, name: str, host: str | None) -> bool:
        """True if the fault has this name and is armed for this host or for every host."""
        return self.name == name and self.host in (None, host)

    def number(self, key: str, default: float = 0.0) -> float:
        """The numeric argument `key`; where it was not given the catalogue's default, else `default`."""
        value = self.args.get(key, self._declared(key, default))
        return float(value) if isinstance(value, int | float) else default

    def text(self, key: str, default: str = "") -> str:
        """The text argument `key`; where it was not given or is empty the catalogue's default, else `default`."""
        value = self.args.get(key) or self._declared(key, default)
        return value if isinstance(value, str) and value else default

    def flag(self, key: str) -> bool:
        """The truth argument `key`, or the catalogue's default."""
        return bool(self.args.get(key, self._declared(key, default=False)))

    def _declared(self, key: str, default: object) -> object:
        return next((arg.default for arg in self.spec.args if arg.name == key), default)

    def as_dict(self) -> dict[str, object]:
        """The fault as the control port shows it; the schedule only where there is one."""
        shown: dict[str, object] = {
            "name": self.name,
            "host": self.host,
            "times": self.remaining,
            "args": dict(self.args),
        }
        shown |= {"nth": self.nth} if self.nth > 1 else {}
        shown |= {"chance": self.chance} if self.chance < 1 else {}
        shown |= {"begins_at": round(self.opens, 3)} if self.opens else {}
        return shown | ({"ends_at": round(self.closes, 3)} if self.closes != float("inf") else {})
