"""A unified difference as rows: parsed once, laid out by counting, and put into tones only where it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NamedTuple

from rich.cells import cell_len, chop_cells

from pvenix.model.review import FileDiff
from pvenix_tui.glyphs import ARROW, LINE, UPRIGHT
from pvenix_tui.models.highlight import highlighted, language_of
from pvenix_tui.models.hunks import DiffLine, Sign, parse
from pvenix_tui.models.lines import Line, Tone, cells, clip, text_line, wrap
from pvenix_tui.models.spans import blanks_drawn, part, with_matches, with_spelled
from pvenix_tui.text import safe

_SIMPLE: Final = 4000
"""Characters from which a line is cut by their number and not by their width."""
_TONES: Final = {Sign.ADDED: Tone.OK, Sign.REMOVED: Tone.BAD, Sign.SAME: Tone.DIM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that stands below a line of the new side: a comment with its replies."""

    id: str
    lines: tuple[Line, ...]


class Row(NamedTuple):
    """A row of the screen: a piece of a line, or of one on either side, or of a remark."""

    left: int
    """The line; of both sides the old one. -1 for none."""
    right: int
    """-1 in one column."""
    piece: int
    remark: Line | None = None


class DiffDocument:
    """The source of a list that shows one file's difference."""

    def __init__(self, diff: FileDiff, remarks: Mapping[int, Sequence[Remark]] | None = None) -> None:
        self.diff = diff
        self.lines = parse(diff.unified)
        self.split = False
        self.two_sided = any(line.sign is Sign.REMOVED for line in self.lines)
        """Whether there is anything to show on the old side."""
        self.remarks: Mapping[int, Sequence[Remark]] = remarks or {}
        self.rows: list[Row] = []
        self.search = ""
        self._language = language_of(diff.path)
        self._texts: dict[int, str] = {}
        self._states: list[tuple[str, str]] = []
        self._laid_out: tuple[int, bool, int] = (-1, False, 0)
        self._room = self._side = 1
        self._index: dict[str, int] = {}
        last = max((max(line.old, line.new) for line in self.lines), default=0)
        self._digits = len(str(last))

    # --- rows ---

    def layout(self, width: int) -> Line | None:
        """Count the rows for this width; nothing is done when that was done."""
        wanted = (width, self.split, id(self.remarks))
        if wanted == self._laid_out:
            return None
        self._laid_out = wanted
        self._side = (width - 1) // 2 if self.split else width
        self._room = max(1, self._side - self._digits * (1 if self.split else 2) - (3 if self.split else 4))
        self.rows = self._split_rows() if self.split else self._unified_rows()
        if not self.rows:
            self.rows = [Row(-1, -1, 0, text_line("no line differs", Tone.DIM))]
        self._index = {}
        return None

    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def key(self, index: int) -> str:
        """The line's number, so that the cursor stays on it in either layout; of later pieces with theirs."""
        row = self.rows[index]
        line = max(row.left, row.right)
        return f"{line}.{row.piece}"

    def at(self, index: int) -> DiffLine | None:
        """The line of a row, of both sides the new one; None on a remark."""
        if not 0 <= index < len(self.rows) or self.rows[index].remark is not None:
            return None
        row = self.rows[index]
        return self.lines[row.right if row.right >= 0 else row.left]

    def row_of(self, line: int) -> int:
        """The first row of a line."""
        return next((at for at, row in enumerate(self.rows) if line in (row.left, row.right) and not row.remark), 0)

    def next_hunk(self, index: int, *, backwards: bool = False) -> int | None:
        """The row where the next or previous hunk starts."""
        starts = [at for at, row in enumerate(self.rows) if row.left >= 0 and self._is_hunk(row)]
        if backwards:
            return max((at for at in starts if at < index), default=None)
        return min((at for at in starts if at > index), default=None)

    def _is_hunk(self, row: Row) -> bool:
        return row.remark is None and self.lines[row.left].sign is Sign.HUNK

    def next_match(self, index: int, *, backwards: bool = False) -> int | None:
        """The row of the next or previous line that has the searched text, from the other end when there is none."""
        wanted = self.search.lower()
        hits = {number for number, line in enumerate(self.lines) if wanted and wanted in line.text.lower()}
        rows = [at for at, row in enumerate(self.rows) if not row.piece and (row.left in hits or row.right in hits)]
        if backwards:
            return max((at for at in rows if at < index), default=max(rows, default=None))
        return min((at for at in rows if at > index), default=min(rows, default=None))

    @property
    def matches(self) -> int:
        """Lines that have the searched text."""
        wanted = self.search.lower()
        return sum(1 for line in self.lines if wanted and wanted in line.text.lower())

    def _unified_rows(self) -> list[Row]:
        rows: list[Row] = []
        for number, line in enumerate(self.lines):
            rows += [Row(number, -1, piece) for piece in range(self._pieces(number))]
            if line.new and line.new in self.remarks:
                rows += self._remark_rows(number, line.new)
        return rows

    def _split_rows(self) -> list[Row]:
        rows: list[Row] = []
        for left, right in self._sides():
            height = max(self._pieces(left), self._pieces(right))
            rows += [Row(left, right, piece) for piece in range(height)]
            new = self.lines[right].new if right >= 0 else 0
            if new in self.remarks:
                rows += self._remark_rows(right, new)
        return rows

    def _sides(self) -> list[tuple[int, int]]:
        """What stands beside each other: blocks of removed lines beside those added in their place."""
        pairs: list[tuple[int, int]] = []
        removed: list[int] = []
        added: list[int] = []
        for number, line in enumerate(self.lines):
            if line.sign is Sign.REMOVED:
                if added:
                    pairs += zip_longest(removed, added, fillvalue=-1)
                    removed, added = [], []
                removed.append(number)
            elif line.sign is Sign.ADDED:
                added.append(number)
            else:
                if removed or added:
                    pairs += zip_longest(removed, added, fillvalue=-1)
                    removed, added = [], []
                pairs.append((number, number if line.sign is Sign.SAME else -1))
        return [*pairs, *zip_longest(removed, added, fillvalue=-1)]

    def _remark_rows(self, number: int, new: int) -> list[Row]:
        width = max(10, self._laid_out[0] - 4)
        return [
            Row(number, -1, -1 - at, piece)
            for remark in self.remarks[new]
            for at, piece in enumerate(piece for line in remark.lines for piece in wrap(line, width, indent=2))
        ]

    def _pieces(self, number: int) -> int:
        """Rows that a line takes."""
        if number < 0:
            return 0
        if self.lines[number].sign is Sign.HUNK:
            return 1
        text = self._text(number)
        return max(1, -(-len(text) // self._room)) if text.isascii() else len(self._cut(text))

    # --- what shows ---

    def line(self, index: int) -> Line:
        """A row in tones."""
        row = self.rows[index]
        if row.remark is not None:
            return ((f"  {UPRIGHT} ", Tone.WARN), *row.remark) if row.left >= 0 else row.remark
        if row.right < 0 and (not self.split or self.lines[row.left].sign in (Sign.HUNK, Sign.NOTE)):
            return self._whole(row.left, row.piece)
        left, right = self._half(row.left, row.piece, old=True), self._half(row.right, row.piece, old=False)
        gap = self._side - cells(left)
        return (*left, (" " * max(0, gap), Tone.PLAIN), (UPRIGHT, Tone.DIM), *right)

    def _whole(self, number: int, piece: int) -> Line:
        line = self.lines[number]
        if line.sign is Sign.HUNK:
            rule = f"{LINE * 2} {line.text} "
            return ((safe(rule), Tone.HUNK), (LINE * max(0, self._laid_out[0] - cell_len(safe(rule))), Tone.DIM))
        if line.sign is Sign.NOTE:
            return clip(text_line(f"{'':{2 * self._digits + 2}}{line.text}", Tone.WARN), self._side)
        numbers = "".join(
            f"{each or '':>{self._digits}} " if not piece else " " * (self._digits + 1) for each in line[1:3]
        )
        sign = line.sign.value if not piece else " "
        return ((numbers, Tone.DIM), (f"{sign} ", _TONES[line.sign]), *self._piece(number, piece))

    def _half(self, number: int, piece: int, *, old: bool) -> Line:
        if number < 0:
            return ()
        line = self.lines[number]
        shown = line.old if old else line.new
        head = f"{shown:>{self._digits}} " if not piece else " " * (self._digits + 1)
        sign = line.sign.value if not piece else " "
        return ((head, Tone.DIM), (f"{sign} ", _TONES[line.sign]), *self._piece(number, piece))

    def _piece(self, number: int, piece: int) -> Line:
        """A piece of a line's text, in tones."""
        text = self._text(number)
        if len(text) > _SIMPLE:
            step = self._room if text.isascii() else max(1, self._room // 2)
            return ((text[piece * step : (piece + 1) * step], Tone.PLAIN),)
        pieces = self._cut(text)
        if piece >= len(pieces):
            return ()
        start = sum(len(each) for each in pieces[:piece])
        spans = blanks_drawn(text) if self._only_blanks(number) else self._toned(number, text)
        return with_matches(part(spans, start, start + len(pieces[piece])), self.search)

    def _toned(self, number: int, text: str) -> Line:
        spans = highlighted(self._language, text, self._state(number))
        return with_spelled(spans) if "<U+" in text else spans

    def _only_blanks(self, number: int) -> bool:
        """True when a line took another's place and differs from it by blanks alone."""
        line = self.lines[number]
        if line.pair < 0:
            return False
        other = self.lines[line.pair].text
        return line.text != other and line.text.split() == other.split()

    def _text(self, number: int) -> str:
        """The line's text as it is drawn; a tab is drawn where the blanks are what differs."""
        found = self._texts.get(number)
        if found is None:
            text = self.lines[number].text
            if "\t" in text and self._only_blanks(number):
                text = text.replace("\t", f"{ARROW}   ")
            found = self._texts[number] = safe(text)
        return found

    def _cut(self, text: str) -> list[str]:
        """The pieces of a text that fit, at least one."""
        if len(text) > _SIMPLE:
            step = self._room if text.isascii() else max(1, self._room // 2)
            return [text[at : at + step] for at in range(0, len(text), step)]
        if text.isascii():
            return [text[at : at + self._room] for at in range(0, len(text), self._room)] or [""]
        return chop_cells(text, max(2, self._room)) or [""]

    def _state(self, number: int) -> str:
        """What the lines before left open on the side of this one; a hunk begins with nothing open."""
        if self._language is None:
            return ""
        while len(self._states) <= number:
            at = len(self._states)
            if not at or self.lines[at].sign is Sign.HUNK:
                self._states.append(("", ""))
                continue
            before, (old, new) = self.lines[at - 1], self._states[-1]
            text = before.text if len(before.text) < _SIMPLE else before.text[:_SIMPLE]
            if before.sign in (Sign.REMOVED, Sign.SAME):
                old = self._language.after(text, old)
            if before.sign in (Sign.ADDED, Sign.SAME):
                new = self._language.after(text, new)
            self._states.append((old, new))
        old, new = self._states[number]
        return old if self.lines[number].sign is Sign.REMOVED else new
