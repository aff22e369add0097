"""The live panes of a run in one widget, so that two hundred hosts cost no more than the cells they fill."""

from __future__ import annotations

from collections.abc import Callable

from textual.strip import Strip
from typing_extensions import override

from pvenix_tui.models.lines import Line
from pvenix_tui.widgets.painted import Painted


class TileGrid(Painted):
    """Draws what `make(width, height)` returns."""

    can_focus = False
    DEFAULT_CSS = "TileGrid { overflow: hidden hidden; }"

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

    @override
    def render_line(self, y: int) -> Strip:
        return self.strip(self._rows[y] if y < len(self._rows) else (), self.size.width)
