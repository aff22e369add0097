"""The values that describe a fault: where and how it strikes, and its arguments."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

Value = str | int | float | bool


class Kind(Enum):
    """How a fault strikes."""

    OCCASION = "occasion"
    """It strikes a matching call or command, `times` times."""
    STATE = "state"
    """It holds until it is cleared, or for a time."""
    EVENT = "event"
    """It happens once, at its time."""


class Face(Enum):
    """Where a client meets it."""

    API = "Proxmox API"
    SSH = "SSH"
    GUEST = "guest"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """An argument of a fault; the type of `default` is the argument's type."""

    name: str
    default: Value
    what: str
    choices: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type as people write it."""
        names = {bool: "yes or no", int: "whole number", float: "number", str: "text"}
        return "|".join(self.choices) or names[type(self.default)]

    def parse(self, value: object) -> Value:
        """`value`, which may come as text from a command line, as a value of the argument's type.

        Raises:
            ValueError: it is none; the text says what would be one.
        """
        parsed = _PARSERS[type(self.default)](value)
        if parsed is None or (self.choices and parsed not in self.choices):
            raise ValueError(f"{self.name}={value!r} is not {' or '.join(self.choices) or f'a {self.type}'}")
        return parsed


def _bool(value: object) -> Value | None:
    if isinstance(value, bool):
        return value
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(str(value).lower())


def _int(value: object) -> Value | None:
    number = _float(value)
    return int(number) if isinstance(number, float) and number.is_integer() else None


def _float(value: object) -> Value | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _str(value: object) -> Value | None:
    if isinstance(value, bool):  # a command line reads `yes` as a truth value; a text argument wants the word
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else None


_PARSERS: Mapping[type, Callable[[object], Value | None]] = {bool: _bool, int: _int, float: _float, str: _str}


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""
