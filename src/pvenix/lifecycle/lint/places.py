"""A text whose offsets can be told as line and column."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

_HEAD: Final = 200


class Text:
    """The text of one file, or one string in it that begins at a line of the file."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._starts = [0]
        for index, character in enumerate(whole):
            if character == "\n":
                self._starts.append(index + 1)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def head(self, number: int) -> str:
        """The first characters of a line: of an endless one no more than tells what it is."""
        start = self._starts[number - 1]
        return self.whole[start : start + _HEAD].partition("\n")[0]
