"""The live panes of a run in one widget, so that two hundred hosts cost no more than the cells they fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType
from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from typing_extensions import override

from pvenix_tui.bindings import bindings
from pvenix_tui.models.lines import Line
from pvenix_tui.widgets.painted import Painted


class TileGrid(Painted, can_focus=True):
    """Draws what `make(width, height)` returns; where the cursor goes is the screen's to say."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("list")
    DEFAULT_CSS = "TileGrid { overflow: hidden hidden; }"

    class Asked(Message):
        """A key or the mouse asks for another tile."""

        def __init__(self, action_id: str = "", column: int = 0, row: int = 0) -> None:
            super().__init__()
            self.action_id = action_id
            """How to move; empty for a click."""
            self.column, self.row = column, row
            """Where the click was, in cells."""

    def __init__(self, make: Callable[[int, int], list[Line]], *, id: str | None = None) -> None:  # noqa: A002 Textual's
        super().__init__(id=id)
        self._make = make
        self._rows: list[Line] = []

    def flush(self) -> None:
        """Draw again when what shows has changed; nothing is made while the widget is not shown."""
        if not self.display or not self.size.height:
            return
        rows = self._make(self.size.width, self.size.height)
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self.flush()

    def action_do(self, action_id: str) -> None:
        """A key that moves in lists moves among the tiles."""
        self.post_message(self.Asked(action_id))

    def on_click(self, event: Click) -> None:
        """A click is on a tile."""
        self.post_message(self.Asked(column=event.x, row=event.y))

    @override
    def render_line(self, y: int) -> Strip:
        return self.strip(self._rows[y] if y < len(self._rows) else (), self.size.width)
