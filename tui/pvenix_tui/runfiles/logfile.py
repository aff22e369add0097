"""A host's log as numbered lines: the newest in a ring, all the others read from the file when they are looked at.

The first line that was read has the number 0, and lines before it, of a log that was long already, have negative ones;
a line keeps its number whatever is added or dropped from the ring.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from pvenix.engine.logparts import times_path
from pvenix_tui.models.ring import LINE_LIMIT, LineRing
from pvenix_tui.models.states import epoch

READ_MOST: Final = 256 * 1024
"""Bytes that are read of one log at a time, so that no host can hold the screen up."""
BLOCK: Final = 64 * 1024
"""Bytes, about, between two places of the file whose line number is kept."""
BLOCKS_KEPT: Final = 4
LINE_BYTES: Final = 4 * LINE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Whole lines of the file, one after the other."""

    number: int
    """The number of the first of them."""
    offset: int
    """Where it begins, in bytes."""
    raw: tuple[bytes, ...]

    def line(self, number: int) -> str:
        """The line with this number, as the ring would keep it."""
        return self.raw[number - self.number][:LINE_BYTES].decode("utf-8", "replace")[:LINE_LIMIT]

    def starts(self) -> list[int]:
        """Where each line begins."""
        return list(accumulate((len(line) + 1 for line in self.raw), initial=self.offset))


class LogTail:
    """One host's log file, from near its end when it is long already."""

    def __init__(self, path: Path, ring: LineRing, headings: Mapping[str, str] | None = None) -> None:
        self._headings = headings or {}
        """What is shown, searched and saved in the place of whole lines: the heads of steps, in words."""
        self.path = path
        self.ring = ring
        self.taken = 0
        """Bytes that the last look read."""
        self._offset = -1
        self._rest = b""
        self._marks: list[tuple[int, int]] = []
        """Numbers of lines, and where each begins."""
        self._blocks: dict[tuple[int, int], Block] = {}
        self._times = LogTimes(times_path(path))

    # --- growing ---

    def poll(self, *, whole: bool = True) -> bool:
        """Read what came since the last call, up to READ_MOST; True when there were lines.

        Unless `whole` is asked for, a log that has grown by more than is kept is begun anew near its end.
        """
        self.taken = 0
        try:
            size = os.stat(self.path).st_size  # noqa: PTH116 called 400 times a second; a Path costs as much again
        except FileNotFoundError:
            return False
        if size <= self._offset:
            return False
        if not whole and size - self._offset > max(READ_MOST, 2 * self.ring.budget):
            self._begin_anew()
        if self._offset < 0:
            self._offset = max(0, size - self.ring.budget)
        data = self._read(self._offset, READ_MOST)
        self.taken = len(data)
        self._offset += len(data)
        if not self._marks:
            data = self._first_whole(data)
        return self._take(data)

    def _begin_anew(self) -> None:
        self.ring = LineRing(self.ring.budget)
        self._offset, self._rest = -1, b""
        self._marks.clear()
        self._blocks.clear()

    def _first_whole(self, data: bytes) -> bytes:
        """What is left of `data` from the first line on that begins in it."""
        begin = self._offset - len(data)
        cut = data.find(b"\n") + 1 if begin else 0
        if begin and not cut:
            return b""
        self._marks.append((0, begin + cut))
        return data[cut:]

    def _take(self, data: bytes) -> bool:
        end = data.rfind(b"\n")
        if end < 0:
            self._rest += data[: max(0, LINE_BYTES - len(self._rest))]  # of a line without an end its start is kept
            return False
        text = (self._rest + data[:end]).decode("utf-8", "replace")
        self._rest = data[end + 1 :][:LINE_BYTES]
        self.ring.extend(self._worded(text))
        begins = self._offset - (len(data) - end - 1)
        if begins - self._marks[-1][1] >= BLOCK:
            self._marks.append((self.ring.end, begins))
        return True

    def _worded(self, text: str) -> list[str]:
        lines = text.split("\n")
        if "--- " not in text:
            return lines
        return [self._headings.get(line, line) for line in lines]

    def _read(self, offset: int, size: int) -> bytes:
        """Bytes of the file; none when it is gone."""
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(file, size, offset)
        finally:
            os.close(file)

    # --- lines by number ---

    @property
    def first(self) -> int:
        """The lowest number that is known to be there; `more` may know lower ones."""
        return self._marks[0][0] if self._marks else self.ring.base

    @property
    def near(self) -> int:
        """The lowest number that is in memory."""
        return self.ring.base

    @property
    def end(self) -> int:
        """The number that the next line gets."""
        return self.ring.end

    @property
    def before(self) -> int:
        """Bytes of the file before line `first`."""
        return self._marks[0][1] if self._marks else 0

    def line(self, number: int) -> str:
        """The line with this number, empty when there is none."""
        if number >= self.ring.base:
            return self.ring.line(number)
        if number < self.first:
            return ""
        block = self._block(number)
        line = block.line(number) if number - block.number < len(block.raw) else ""
        return self._headings.get(line, line)

    def whole(self) -> list[str]:
        """Every whole line of the file, none of them cut."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return self._worded(data[: data.rfind(b"\n") + 1].decode("utf-8", "replace"))[:-1]

    def more(self) -> bool:
        """Know lines before `first`; False when there are none."""
        if not self.before:
            return False
        self._marks.insert(0, self._mark_before(self._marks[0]))
        return True

    def _mark_before(self, mark: tuple[int, int]) -> tuple[int, int]:
        number, offset = mark
        begin = max(0, offset - BLOCK)
        data = self._read(begin, offset - begin)
        cut = data.find(b"\n", 0, len(data) - 1) + 1 if begin else 0
        return number - data.count(b"\n", cut), begin + cut

    def find_older(self, needle: str, below: int) -> int | None:
        """The highest number below `below` and the ring whose line contains `needle` (case ignored), None if none does.

        Reads the file backwards to its start and changes nothing here: for a thread.
        """
        wanted = needle.casefold()
        below = min(below, self.ring.base)
        marks = [mark for mark in self._marks if mark[0] < below] or self._marks[:1]
        ends = [offset for _, offset in self._marks[len(marks) : len(marks) + 1]]
        end = ends[0] if ends else self._offset
        while marks:
            number, offset = marks.pop()
            lines = self._read(offset, end - offset).split(b"\n")
            for index in range(min(len(lines), below - number) - 1, -1, -1):
                line = lines[index].decode("utf-8", "replace")
                if wanted in self._headings.get(line, line).casefold():
                    return number + index
            end = offset
            if not marks and offset:
                marks.append(self._mark_before((number, offset)))
        return None

    def number_at(self, offset: int) -> int:
        """The number of the line that begins at, or goes over, this byte of the file."""
        while offset < self.before and self.more():
            pass
        index = max(0, bisect_right(self._marks, offset, key=lambda mark: mark[1]) - 1)
        if not self._marks:
            return 0
        block = self._block(self._marks[index][0])
        return min(self.end, block.number + max(0, bisect_right(block.starts(), offset) - 1))

    def times(self, numbers: Sequence[int]) -> Iterator[float | None]:
        """When each of these lines was written, seconds since 1970, within a second; None where nobody wrote that down."""
        self._times.poll()
        starts: list[int] = []
        block: Block | None = None
        for number in numbers:
            if number < self.first or number >= self.end:
                yield None
                continue
            if block is None or not 0 <= number - block.number < len(block.raw):
                block = self._block(number)
                starts = block.starts()
            yield self._times.at(starts[number - block.number])

    def _block(self, number: int) -> Block:
        """The lines around this one."""
        index = max(0, bisect_right(self._marks, number, key=lambda mark: mark[0]) - 1)
        first, offset = self._marks[index]
        last = index + 1 == len(self._marks)
        end = self._offset if last else self._marks[index + 1][1]
        block = self._blocks.get((first, end))
        if block is None:
            *raw, rest = self._read(offset, end - offset).split(b"\n")
            block = Block(number=first, offset=offset, raw=tuple(raw) if raw else (rest,))
            while len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[(first, end)] = block
        return block


class LogTimes:
    """When the lines of a log were written, as the run's process noted it about once a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._offsets: list[int] = []
        self._stamps: list[str] = []

    def poll(self) -> None:
        """Read what was noted since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("ascii", "replace").splitlines():
            offset, _, stamp = line.partition(" ")
            if offset.isdecimal() and int(offset) >= (self._offsets[-1] if self._offsets else 0):
                self._offsets.append(int(offset))
                self._stamps.append(stamp)

    def at(self, offset: int) -> float | None:
        """When what begins at this byte was written, seconds since 1970."""
        index = bisect_right(self._offsets, offset) - 1
        return epoch(self._stamps[index]) if index >= 0 else None
