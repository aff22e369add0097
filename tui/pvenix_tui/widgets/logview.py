"""The output of one host: draws what its `LogPane` says, and only the lines that show."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.events import MouseScrollDown, MouseScrollUp
from textual.strip import Strip
from typing_extensions import override

from pvenix_tui.bindings import bindings
from pvenix_tui.models.lines import Line
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.widgets.painted import Painted


class LogView(Painted, can_focus=True):
    """A window on a ring; following it costs no layout and no `virtual_size`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("list")
    DEFAULT_CSS = "LogView { height: 1fr; overflow: hidden hidden; }"

    def __init__(self, pane: LogPane, *, id: str | None = None) -> None:  # noqa: A002 Textual's own name
        super().__init__(id=id)
        self.pane = pane
        self._rows: list[Line] = []

    def flush(self) -> None:
        """Draw what the pane shows now, if that differs from what is drawn."""
        rows = self.pane.rows(max(1, self.size.width), max(1, self.size.height))
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self.flush()

    def action_do(self, action_id: str) -> None:
        """Move as the action says; moving up pauses."""
        page = max(1, self.size.height - 1)
        match action_id:
            case "list.top":
                self.pane.to_start()
            case "list.bottom":
                self.pane.follow()
            case _:
                steps = {"list.down": 1, "list.up": -1, "list.page_down": page, "list.page_up": -page}
                self.pane.scroll(steps[action_id])
        self.flush()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Three lines up."""
        event.stop()
        self.pane.scroll(-3)
        self.flush()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Three lines down."""
        event.stop()
        self.pane.scroll(3)
        self.flush()

    @override
    def render_line(self, y: int) -> Strip:
        return self.strip(self._rows[y] if y < len(self._rows) else (), self.size.width)
