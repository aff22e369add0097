"""What a log pane shows of a ring: follow or a fixed place, and the search in it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.lines import Line, Tone, wrap
from pvenix_tui.models.ring import LineRing
from pvenix_tui.text import safe_output

STEP_MARK = "--- "


@dataclass(slots=True)
class LogPane:
    """A window on a ring. While following, the newest lines show; paused, the same line stays at the top."""

    ring: LineRing
    following: bool = True
    top: int = 0
    """Absolute number of the line at the top while paused."""
    seen: int = 0
    """End of the ring when the pane was paused."""
    query: str = ""
    match: int = -1
    """Absolute number of the line that the search stands on."""
    wrapping: bool = False
    height: int = 10

    @property
    def new_lines(self) -> int:
        """Lines that came since the pane was paused."""
        return 0 if self.following else max(0, self.ring.end - self.seen)

    def show(self, ring: LineRing) -> None:
        """Turn to another host's output, following it."""
        if ring is not self.ring:
            self.ring = ring
            self.match = -1
            self.follow()

    def follow(self) -> None:
        """Show the newest lines from now on."""
        self.following = True

    def pause(self) -> None:
        """Keep the lines that show now where they are."""
        if self.following:
            self.following = False
            self.seen = self.ring.end
            self.top = max(self.ring.base, self.ring.end - self.height)

    def scroll(self, lines: int) -> None:
        """Move by `lines` (negative is up); reaching the end follows again."""
        if self.following and lines >= 0:
            return
        self.pause()
        self.top = max(self.ring.base, self.top + lines)
        if self.top + self.height >= self.ring.end and lines > 0:
            self.follow()

    def to_start(self) -> None:
        """Show the oldest lines that are kept."""
        self.pause()
        self.top = self.ring.base

    def search(self, query: str) -> bool:
        """Stand on the newest line that contains `query`; False when there is none."""
        self.query = query
        self.match = -1
        return bool(query) and self._stand_on(self.ring.find(query, self.ring.end - 1, backwards=True))

    def search_next(self, *, backwards: bool) -> bool:
        """Stand on the next match in a direction; False when there is none."""
        if not self.query:
            return False
        start = self.match if self.match >= 0 else self.ring.end
        step = -1 if backwards else 1
        return self._stand_on(self.ring.find(self.query, start + step, backwards=backwards))

    def step_boundary(self, *, backwards: bool) -> bool:
        """Put the previous or next line that starts a step at the top; False when there is none."""
        here = self.window_top
        numbers = range(here - 1, self.ring.base - 1, -1) if backwards else range(here + 1, self.ring.end)
        found = next((number for number in numbers if self.ring.line(number).startswith(STEP_MARK)), -1)
        if found < 0:
            return False
        self.pause()
        self.top = found
        return True

    @property
    def window_top(self) -> int:
        """Absolute number of the first line that shows (without wrapping)."""
        if self.following:
            return max(self.ring.base, self.ring.end - self.height)
        return max(self.top, self.ring.base)

    def rows(self, width: int, height: int) -> list[Line]:
        """At most `height` lines to draw in `width` cells."""
        self.height = height
        if self.following and self.wrapping:
            return self._last_wrapped(width, height)
        rows: list[Line] = []
        number = self.window_top
        while number < self.ring.end and len(rows) < height:
            rows.extend(self._pieces(number, width))
            number += 1
        return rows[:height]

    def _last_wrapped(self, width: int, height: int) -> list[Line]:
        rows: list[Line] = []
        number = self.ring.end - 1
        while number >= self.ring.base and len(rows) < height:
            rows[:0] = self._pieces(number, width)
            number -= 1
        return rows[-height:]

    def _pieces(self, number: int, width: int) -> list[Line]:
        text = safe_output(self.ring.line(number))
        line = self._toned(number, text)
        if self.wrapping:
            return wrap(line, width, indent=2)
        if len(text) > width and cell_len(text) > width:
            return [(*_cut(line, width - 1), (ELLIPSIS, Tone.DIM))]
        return [line]

    def _toned(self, number: int, text: str) -> Line:
        if number == self.match:
            return ((text, Tone.ACCENT),)
        if text.startswith(STEP_MARK):
            return ((text, Tone.TITLE),)
        if self.query and self.query.casefold() in text.casefold():
            return ((text, Tone.STRONG),)
        return ((text, Tone.PLAIN),)

    def _stand_on(self, number: int) -> bool:
        if number < 0:
            return False
        self.match = number
        self.pause()
        if not self.top <= number < self.top + self.height:
            self.top = max(self.ring.base, number - self.height // 3)
        return True


def _cut(line: Line, width: int) -> Line:
    return wrap(line, width)[0]
