"""What a log pane shows of a host's output: the newest lines or a fixed place, what is searched for, the time of a line."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.lines import Line, Tone, clip, wrap
from pvenix_tui.models.logwords import line_tone, tells_of_error
from pvenix_tui.models.spans import with_matches
from pvenix_tui.models.states import clock_word
from pvenix_tui.text import safe_output

NO_TIME: Final = "--:--:--"
TO_START: Final = 1000
"""Steps back into the file, of about 64 KiB each, that the way to the first line takes at once."""


class Times(StrEnum):
    """What stands before each line."""

    OFF = "off"
    WALL = "wall"
    """The time of day."""
    ELAPSED = "elapsed"
    """Since the host's first step."""

    @property
    def next(self) -> Times:
        """What follows when the key is pressed again."""
        kinds = list(Times)
        return kinds[(kinds.index(self) + 1) % len(kinds)]


class Lines(Protocol):
    """Numbered lines, the newest in memory and the others wherever they are."""

    @property
    def first(self) -> int:
        """The lowest number that can be shown now."""

    @property
    def near(self) -> int:
        """The lowest number that is in memory: searching goes no further by itself."""

    @property
    def end(self) -> int:
        """The number that the next line gets."""

    def line(self, number: int) -> str:
        """The line with this number."""

    def more(self) -> bool:
        """Know lines before `first`; False when there are none."""

    def times(self, numbers: Sequence[int]) -> Iterator[float | None]:
        """When each of these lines was written, seconds since 1970."""


@dataclass(slots=True)
class Matches:
    """The numbers of the lines that contain what is searched for: those in memory at first, and all that came since."""

    query: str = ""
    numbers: list[int] = field(default_factory=list)
    _to: int = 0

    def update(self, lines: Lines, query: str) -> None:
        """Take in the lines that came."""
        wanted = query.casefold()
        if wanted != self.query:
            self.query, self.numbers, self._to = wanted, [], lines.near
        came = range(max(self._to, lines.near), lines.end)
        self.numbers += [number for number in came if wanted in lines.line(number).casefold()]
        self._to = lines.end

    def add(self, number: int) -> None:
        """Take in one that was found further back."""
        place = bisect_left(self.numbers, number)
        if self.numbers[place : place + 1] != [number]:
            self.numbers.insert(place, number)


@dataclass(slots=True)
class LogPane:
    """A window on numbered lines. While following, the newest show; paused, the same line stays at the top."""

    lines: Lines
    following: bool = True
    top: int = 0
    """Number of the line at the top while paused."""
    seen: int = 0
    """End of the lines when the pane was paused."""
    query: str = ""
    match: int | None = None
    """Number of the line that the search, or the way to the next error, stands on."""
    only: bool = False
    """Only lines that match the query show."""
    wrapping: bool = False
    times: Times = Times.OFF
    began: float | None = None
    """When the host's first step began, seconds since 1970."""
    height: int = 10
    matches: Matches = field(default_factory=Matches)
    _first: int | None = None
    """Number of the line that the first row drawn last is of."""

    @property
    def new_lines(self) -> int:
        """Lines that came since the pane was paused."""
        return 0 if self.following else max(0, self.lines.end - self.seen)

    def show(self, lines: Lines) -> None:
        """Turn to another host's output, following it; what is searched for stays."""
        if lines is not self.lines:
            self.lines = lines
            self.match = None
            self.matches = Matches()
            self.follow()

    def follow(self) -> None:
        """Show the newest lines from now on."""
        self.following = True

    def pause(self) -> None:
        """Keep the lines that show now where they are."""
        if self.following:
            shown = self._numbers()
            self.following = False
            self.seen = self.lines.end
            self.top = shown[max(0, len(shown) - self.height)] if shown else self.lines.end
            if self.wrapping and self._first is not None:
                self.top = self._first

    def scroll(self, lines: int) -> None:
        """Move by `lines` (negative is up), past the lines in memory into the file; reaching the end follows again."""
        if self.following and lines >= 0:
            return
        self.pause()
        while self._place() + lines < 0 and self.lines.more():
            self._numbers()
        shown = self._numbers()
        place = max(0, min(self._place() + lines, len(shown) - 1))
        self.top = shown[place] if shown else self.lines.end
        if lines > 0 and place + self.height >= len(shown):
            self.follow()

    def to_start(self) -> None:
        """Show the very first line; of a huge file the first that is reached in a moment."""
        self.pause()
        for _ in range(TO_START):
            if not self.lines.more():
                break
        self.top = self.lines.first

    # --- finding ---

    def search(self, query: str) -> bool:
        """Stand on the newest line in reach that contains `query`; False when there is none."""
        self.query, self.match = query, None
        if not query:
            self.only = False
            return False
        self.matches.update(self.lines, query)
        return bool(self.matches.numbers) and self.stand_on(self.matches.numbers[-1])

    def search_next(self, *, backwards: bool) -> bool:
        """Stand on the next match in a direction; False when there is none."""
        if not self.query:
            return False
        self.matches.update(self.lines, self.query)
        numbers = self.matches.numbers
        here = self.lines.end if self.match is None else self.match
        place = bisect_left(numbers, here) - 1 if backwards else bisect_left(numbers, here + 1)
        return 0 <= place < len(numbers) and self.stand_on(numbers[place])

    def next_error(self) -> bool:
        """Stand on the newest line that tells of an error; from there on the next below, and then the first again."""
        lines = self.lines
        if self.following:
            ways: tuple[range, ...] = (range(lines.end - 1, lines.near - 1, -1),)
        else:
            here = self.top - 1 if self.match is None else self.match
            ways = (range(here + 1, lines.end), range(lines.near, here + 1))
        found = next((number for way in ways for number in way if tells_of_error(lines.line(number))), None)
        return found is not None and self.stand_on(found)

    def step_boundary(self, starts: Sequence[int], *, backwards: bool) -> bool:
        """Put the previous or next of these lines, the starts of the steps, at the top; False when there is none."""
        here = self.window_top
        ways = [number for number in starts if (number < here if backwards else number > here)]
        if not ways:
            return False
        self.pause()
        self.top = max(ways) if backwards else min(ways)
        return True

    def stand_on_older(self, number: int) -> None:
        """Stand on a line that contains the query and was found in the file."""
        while self.lines.first > number and self.lines.more():
            pass
        self.matches.add(number)
        self.stand_on(number)

    def stand_on(self, number: int) -> bool:
        """Mark this line as found, and show it."""
        self.match = number
        self.pause()
        shown = self._numbers()
        place = bisect_left(shown, number)
        if not self._place() <= place < self._place() + self.height:
            self.top = shown[max(0, place - self.height // 3)] if shown else number
        return True

    # --- what shows ---

    @property
    def window_top(self) -> int:
        """Number of the first line that shows (without wrapping)."""
        shown = self._numbers()
        if self.following:
            return shown[max(0, len(shown) - self.height)] if shown else self.lines.end
        return self.top

    def _numbers(self) -> Sequence[int]:
        """Numbers of the lines that can be scrolled to."""
        if self.only and self.query:
            self.matches.update(self.lines, self.query)
            return self.matches.numbers
        return range(self.lines.first, self.lines.end)

    def _place(self) -> int:
        """Where among them the line at the top is."""
        return bisect_left(self._numbers(), self.top)

    def rows(self, width: int, height: int) -> list[Line]:
        """At most `height` lines to draw in `width` cells."""
        shown = self._numbers()
        if height > self.height and not self.following and shown:
            self.top = shown[max(0, min(self._place(), len(shown) - height))]  # room that came is not left empty
        self.height = height
        if self.following:
            pieces = self._pieces(shown[max(0, len(shown) - height) :], width)[-height:]
        else:
            place = self._place()
            pieces = self._pieces(shown[place : place + height], width)[:height]
        self._first = pieces[0][0] if pieces else None
        return [line for _, line in pieces]

    def _pieces(self, numbers: Sequence[int], width: int) -> list[tuple[int, Line]]:
        """Rows to draw, each with the number of its line."""
        rows: list[tuple[int, Line]] = []
        for number, stamp in zip(numbers, self._stamps(numbers), strict=True):
            text = safe_output(self.lines.line(number))
            if not self.wrapping:
                text = self._with_match_in_sight(text, width - sum(len(each) for each, _ in stamp))
            line: Line = (*stamp, *self._toned(number, text))
            if self.wrapping:
                indent = 2 + sum(len(text) for text, _ in stamp)
                rows += [(number, piece) for piece in wrap(line, width, indent=indent)]
            elif len(line) == 1 and len(line[0][0]) <= width and line[0][0].isascii():
                rows.append((number, line))
            else:
                rows.append((number, clip(line, width)))
        return rows

    def _stamps(self, numbers: Sequence[int]) -> Iterator[Line]:
        if self.times is Times.OFF or not numbers:
            yield from ((),) * len(numbers)
            return
        for at in self.lines.times(numbers):
            yield ((f"{self._time(at)} ", Tone.DIM),)

    def _time(self, at: float | None) -> str:
        if at is None:
            return NO_TIME
        if self.times is Times.WALL:
            return time.strftime("%H:%M:%S", time.localtime(at))
        return f"{'+' + clock_word(at - (at if self.began is None else self.began)):>8}"

    def _with_match_in_sight(self, text: str, width: int) -> str:
        """The text, without its beginning where what is searched for would be cut off."""
        hit = text.casefold().find(self.query.casefold()) if self.query else -1
        if hit < 0 or hit + len(self.query) < width:
            return text
        return f"{ELLIPSIS}{text[max(1, hit - width // 3) :]}"

    def _toned(self, number: int, text: str) -> Line:
        tone = Tone.STRONG if number == self.match else line_tone(text)
        return with_matches(((text, tone),), self.query)
