"""Text for a terminal: foreign text cleaned, words coloured, tables aligned."""

from __future__ import annotations

import json
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import MappingProxyType

import click

from pvenix.adapters.text import sanitise as clean

__all__ = [
    "ago",
    "cells",
    "clean",
    "columns",
    "cut",
    "one_line",
    "plain_value",
    "reached",
    "style",
    "table",
    "verbatim",
    "wrapped",
]

_GREEN = ("ok", "changed", "in sync", "pass", "merged", "approved", "running")
_YELLOW = (
    "pending",
    "waiting",
    "skipped",
    "staged",
    "testing",
    "behind",
    "reboot needed",
    "unregistered",
    "warn",
    "open",
)
_RED = (
    *("failed", "unreachable", "refused", "unknown", "rolled back", "locked", "local problem", "cancelled"),
    *("drifted", "no VM", "fail", "rejected", "interrupted", "unreadable"),
)
_COLORS = MappingProxyType(
    {
        **dict.fromkeys(_GREEN, "green"),
        **dict.fromkeys(_YELLOW, "yellow"),
        **dict.fromkeys(_RED, "red"),
        "hint": "cyan",
    }
)


def style(text: str, word: str) -> str:
    """`text` in the colour of `word`, a status; the word itself always says the same as the colour."""
    if word == "strong":
        return click.style(text, bold=True)
    return click.style(text, fg=_COLORS[word]) if word in _COLORS else text


def one_line(text: str) -> str:
    """`text` cleaned and on one line."""
    return " ".join(clean(text).split())


def verbatim(text: str) -> str:
    """`text` cleaned, with every space kept and line ends written out: for commands and output."""
    return clean(text).rstrip("\n").replace("\n", "\\n")


def plain_value(value: object) -> str:
    """A value of a file on one line, as JSON spells it; text as it is."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def cells(text: str) -> int:
    """The columns that clean text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns` columns, with an ellipsis where something is missing."""
    if cells(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += _cells_of(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def columns() -> int:
    """How wide text is: as the terminal, and neither too narrow for a column of it nor too wide to read."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, 60), 120)


def wrapped(text: str, width: int, first: str, further: str) -> list[str]:
    """`text` cleaned and in lines of at most `width` columns after `first`, then `further`; a longer word stays whole."""
    return textwrap.wrap(
        one_line(text),
        width,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def reached(address: str, why: str, at: str, now: str) -> str:
    """Where a host answers, how that address was chosen and how long ago; the address alone when that is not known."""
    if not (address and why and at):
        return address
    return f"{address} ({why}, {ago(at, now)})"


def ago(at: str, now: str) -> str:
    """How long before `now` an ISO 8601 time was, in its largest unit of which there are two."""
    seconds = max(0, int((datetime.fromisoformat(now) - datetime.fromisoformat(at)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, status: int = -1) -> str:
    """Columns under a header; the column `status` is coloured by its word, the last one is as long as it is."""
    lines = [[clean(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(cells(line[index]) for line in [list(header), *lines]) for index in range(len(header))]
    shown = [_row([click.style(cell, bold=True) for cell in header], header, widths)]
    for line in lines:
        painted = [style(cell, cell) if index == status else cell for index, cell in enumerate(line)]
        shown.append(_row(painted, line, widths))
    return "\n".join(shown)


def _row(painted: Sequence[str], plain: Sequence[str], widths: Sequence[int]) -> str:
    padded = [text + " " * (width - cells(bare)) for text, bare, width in zip(painted, plain, widths, strict=True)]
    last = max((index for index, bare in enumerate(plain) if bare), default=0)
    return "  ".join([*padded[:last], painted[last]])


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
