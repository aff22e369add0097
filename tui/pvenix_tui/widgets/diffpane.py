"""A difference, of which rows are only counted until they show."""

from __future__ import annotations

from typing_extensions import override

from pvenix_tui.models.diff import DiffDocument
from pvenix_tui.models.lines import Line, Tone, text_line
from pvenix_tui.widgets.rows import Document, Rows


class DiffPane(Rows):
    """One file; the cursor stays on its line when rows come and go."""

    class Moved(Rows.Moved, namespace="rows"):
        """As of every list; and of which document, for keys in a burst are ahead of this message."""

        def __init__(self, rows: Rows) -> None:
            super().__init__(rows)
            self.source = rows.source
            self.shown = self.shown if rows.size.height else 0

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 Textual's own name
        super().__init__(Document(_nothing), id=id)
        self.when_empty = lambda: text_line("no file to show", Tone.DIM)

    @property
    def document(self) -> DiffDocument | None:
        """The difference that shows."""
        return self.source if isinstance(self.source, DiffDocument) else None

    def open(self, document: DiffDocument) -> None:
        """Show a difference from its start."""
        self._cursor_key = ""
        self.scroll_to(y=0, animate=False, immediate=True)
        self.show(document)

    def clear(self) -> None:
        """Show nothing."""
        self.show(Document(_nothing))

    @override
    def reload(self) -> None:
        """As of every list, but without a look at each of a hundred thousand rows for the one at the cursor."""
        document = self.document
        if document is not None:
            before, row = document.rows, self.cursor
            line = max(before[row].left, before[row].right) if row < len(before) else 0
            document.layout(self._text_width())
            if document.rows is not before:
                self.cursor = document.row_of(line) if before else 0
            self._cursor_key = ""
        super().reload()

    @override
    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved(self))  # the wheel moves no cursor, and still shows other lines

    def refresh_shown(self) -> None:
        """Draw what shows again: the search or a mark changed."""
        self._refresh_changed()


def _nothing(_: int) -> tuple[Line, ...]:
    return ()
