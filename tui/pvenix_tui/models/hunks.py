"""The lines of a unified difference: what each is, its numbers on both sides, and what it took the place of."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class Sign(StrEnum):
    """What a line of a difference is."""

    SAME = " "
    ADDED = "+"
    REMOVED = "-"
    HUNK = "@"
    NOTE = "\\"


class DiffLine(NamedTuple):
    """A line; a number is 0 on the side that does not have it."""

    sign: Sign
    old: int
    new: int
    text: str
    pair: int
    """The line on the other side that it took the place of, -1 when there is none."""


def parse(unified: str) -> list[DiffLine]:
    """The lines of a unified difference, removed and added ones paired in their order."""
    found: list[DiffLine] = []
    old = new = 0
    removed: list[int] = []
    taken = 0
    for line in unified.split("\n"):
        sign, text = line[:1], line[1:]
        if sign == " ":
            found.append(DiffLine(Sign.SAME, old, new, text, -1))
            old, new = old + 1, new + 1
        elif sign == "+":
            if not new:
                continue  # the file's name, before the first hunk
            pair = removed[taken] if taken < len(removed) else -1
            if pair >= 0:
                found[pair] = found[pair]._replace(pair=len(found))
                taken += 1
            found.append(DiffLine(Sign.ADDED, 0, new, text, pair))
            new += 1
            continue
        elif sign == "-":
            if not new:
                continue
            if taken:
                removed, taken = [], 0
            removed.append(len(found))
            found.append(DiffLine(Sign.REMOVED, old, 0, text, -1))
            old += 1
            continue
        elif header := _HUNK.match(line):
            old, new = int(header[1]), int(header[2]) or 1
            found.append(DiffLine(Sign.HUNK, 0, 0, line, -1))
        elif line:
            found.append(DiffLine(Sign.NOTE, 0, 0, text.strip() if sign == "\\" else line, -1))
            continue
        removed, taken = [], 0
    return found
