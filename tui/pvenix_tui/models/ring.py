"""The last output of one host: bounded in bytes whatever the host prints."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final

LINE_LIMIT: Final = 4096
"""Characters of a line that are kept; the log file has the whole line."""
LINE_COST: Final = 56
"""Bytes that a kept line costs beyond its text: object header and its place in the deque."""


class LineRing:
    """Lines with absolute numbers: the first ever added is 0, and numbers stay when older lines are dropped."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        """Bytes."""
        self.base = 0
        """Absolute number of the oldest line that is kept."""
        self._lines: deque[str] = deque()
        self._cost = 0

    @property
    def first(self) -> int:
        """As `base`: a ring by itself has no older lines."""
        return self.base

    @property
    def near(self) -> int:
        """As `base`: all its lines are in memory."""
        return self.base

    def more(self) -> bool:
        """False: what it dropped is gone."""
        return False

    def times(self, numbers: Sequence[int]) -> Iterator[float | None]:
        """Nothing is known of when its lines were written."""
        return repeat(None, len(numbers))

    @property
    def end(self) -> int:
        """The absolute number that the next line gets."""
        return self.base + len(self._lines)

    @property
    def cost(self) -> int:
        """Bytes in use, never more than the budget and one line."""
        return self._cost

    def extend(self, lines: Iterable[str]) -> None:
        """Add lines and drop the oldest ones that no longer fit."""
        for line in lines:
            kept = line[:LINE_LIMIT]
            self._lines.append(kept)
            self._cost += _cost(kept)
        while self._cost > self.budget and len(self._lines) > 1:
            self._cost -= _cost(self._lines.popleft())
            self.base += 1

    def line(self, number: int) -> str:
        """The line with this absolute number, empty when it is not kept."""
        index = number - self.base
        return self._lines[index] if 0 <= index < len(self._lines) else ""

    def tail(self, count: int) -> list[str]:
        """The newest `count` lines, oldest of them first."""
        return [self.line(number) for number in range(max(self.base, self.end - count), self.end)]

    @property
    def last(self) -> str:
        """The newest line that is not blank, of the newest ten."""
        for index in range(1, min(10, len(self._lines)) + 1):
            if self._lines[-index].strip():
                return self._lines[-index]
        return ""

    def find(self, needle: str, start: int, *, backwards: bool = False) -> int:
        """The number of the next line from `start` on that contains `needle` (case ignored), -1 when there is none."""
        wanted = needle.casefold()
        numbers = (
            range(min(start, self.end - 1), self.base - 1, -1) if backwards else range(max(start, self.base), self.end)
        )
        return next((number for number in numbers if wanted in self.line(number).casefold()), -1)


def _cost(line: str) -> int:
    return LINE_COST + (len(line) if line.isascii() else 4 * len(line))
