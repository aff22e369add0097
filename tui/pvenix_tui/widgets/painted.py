"""The base of everything that draws: tones to styles, and the second wall against foreign control characters."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from typing_extensions import override

from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.text import safe


class Painted(ScrollView):
    """A widget of lines; the only place where text of the fleet becomes cells of the terminal."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone-{tone.value}" for tone in Tone} | {"tone-cursor"}
    DEFAULT_CSS = """
    Painted > .tone-plain { color: $foreground; }
    Painted > .tone-dim { color: $foreground 60%; }
    Painted > .tone-strong { color: $foreground; text-style: bold; }
    Painted > .tone-title { color: $primary-lighten-3; text-style: bold; }
    Painted > .tone-ok { color: $success; }
    Painted > .tone-warn { color: $warning; }
    Painted > .tone-bad { color: $error-lighten-2; text-style: bold; }
    Painted > .tone-busy { color: $secondary-lighten-2; }
    Painted > .tone-accent { color: $accent; }
    Painted > .tone-hunk { color: $primary-lighten-2; text-style: bold; }
    Painted > .tone-cursor { background: $primary 40%; }
    """

    def strip(self, line: Line, width: int, *, cursor: bool = False) -> Strip:
        """`line` as exactly `width` cells."""
        segments: list[Segment] = []
        length = 0
        cursor_style = self.get_component_rich_style("tone-cursor", partial=True) if cursor else None
        for text, tone in line:
            clean = safe(text)
            segments.append(Segment(clean, self._style(tone, cursor_style)))
            length += cell_len(clean)
        base = self._style(Tone.PLAIN, cursor_style)
        return Strip(segments, length).adjust_cell_length(width, base)

    def _style(self, tone: Tone, cursor_style: Style | None) -> Style:
        style = self.get_component_rich_style(f"tone-{tone.value}")
        return style + cursor_style if cursor_style is not None else style

    @override
    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()


class Bar(Painted):
    """One or more fixed lines."""

    can_focus = False
    DEFAULT_CSS = "Bar { height: 1; overflow: hidden hidden; }"

    class Clicked(Message):
        """The bar was clicked."""

        def __init__(self, bar: Bar, column: int) -> None:
            super().__init__()
            self.bar = bar
            self.column = column
            """Cells from the left."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 Textual's own name
        super().__init__(id=id, classes=classes)
        self.lines: tuple[Line, ...] = ((),)

    def on_click(self, event: Click) -> None:
        """Tell the screen."""
        self.post_message(self.Clicked(self, event.x))

    def show(self, *lines: Line) -> None:
        """Draw these lines when they are not there already; the bar is as high as there are lines."""
        if lines != self.lines:
            if len(lines) != len(self.lines):
                self.styles.height = len(lines)
            self.lines = lines
            self.refresh()

    @override
    def render_line(self, y: int) -> Strip:
        return self.strip(self.lines[y] if y < len(self.lines) else (), self.size.width)
