"""The base of everything that draws: tones to styles, and the second wall against foreign control characters."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from typing_extensions import override

from pvenix_tui.models.lines import Line, Tone, clip
from pvenix_tui.text import safe


class Cursor(StrEnum):
    """How a line stands to the cursor."""

    NONE = ""
    HERE = "cursor"
    ASIDE = "aside"
    """The cursor is on it, but another pane has the keys."""


TONE_CLASSES: Final = {f"tone-{name}" for name in (*Tone, Cursor.HERE, Cursor.ASIDE)}
"""Component classes of every screen: styles/app.tcss gives them their colours, once for all widgets of the screen."""


class Painted(ScrollView):
    """A widget of lines; the only place where text of the fleet becomes cells of the terminal."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 Textual's own name
        super().__init__(id=id)
        self._tones: dict[tuple[Tone, Cursor], Style] = {}

    def strip(self, line: Line, width: int, *, cursor: Cursor = Cursor.NONE) -> Strip:
        """`line` as exactly `width` cells."""
        segments: list[Segment] = []
        length = 0
        for text, tone in line:
            clean = safe(text)
            segments.append(Segment(clean, self._style(tone, cursor)))
            length += cell_len(clean)
        return Strip(segments, length).adjust_cell_length(width, self._style(Tone.PLAIN, cursor))

    def _style(self, tone: Tone, cursor: Cursor) -> Style:
        """The tone's colour on this widget's background."""
        style = self._tones.get((tone, cursor))
        if style is None:
            toned = self.screen.get_component_styles(f"tone-{tone.value}")
            _, background = self.background_colors
            colour = toned.color if self.app.native_ansi_color else background + toned.color
            style = toned.text_style + Style.from_color(colour.rich_color, background.rich_color)
            if cursor:
                style += self.screen.get_component_rich_style(f"tone-{cursor}", partial=True)
            self._tones[(tone, cursor)] = style
        return style

    @override
    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._tones.clear()
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

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 Textual's own name
        super().__init__(id=id)
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
        return self.strip(clip(self.lines[y], self.size.width) if y < len(self.lines) else (), self.size.width)
