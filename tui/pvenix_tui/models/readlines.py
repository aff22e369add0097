"""Which lines of a difference were on the screen, whatever its width was meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix_tui.models.diff import DiffDocument, Row


class ReadLines:
    """The lines of one file that were shown in full; another file, or another difference of it, begins anew."""

    def __init__(self) -> None:
        self._of: object = None
        self._lines: set[int] = set()
        self._rows: Sequence[Row] = ()
        self._pieces: dict[tuple[int, int], set[int]] = {}
        """Of lines that take several rows: those that were shown in this layout."""

    def show(self, document: DiffDocument, top: int, end: int) -> bool:
        """Take in that the rows from `top` up to `end` were on the screen; True when every line of the file was."""
        if self._of != document.diff:
            self._of, self._lines = document.diff, set()
        if self._rows is not document.rows:
            self._rows, self._pieces = document.rows, {}
        for at in range(top, min(end, len(self._rows))):
            row = self._rows[at]
            if row.remark is None:
                following = self._rows[at + 1] if at + 1 < len(self._rows) else None
                last = following is None or following.remark is not None or following.piece <= row.piece
                self._take(row, last=last)
        return len(self._lines) >= len(document.lines)

    def _take(self, row: Row, *, last: bool) -> None:
        pieces = self._pieces.setdefault((row.left, row.right), set())
        pieces.add(row.piece)
        if last:
            pieces.add(-1)  # so many they are
        if -1 in pieces and len(pieces) == max(pieces) + 2:
            self._lines |= {row.left, row.right} - {-1}
