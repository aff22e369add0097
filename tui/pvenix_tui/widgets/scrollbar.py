"""The scrollbar where only ASCII can be drawn: a thumb of whole cells, by its colour alone."""

from __future__ import annotations

from typing import ClassVar

from textual.scrollbar import ScrollBar, ScrollBarRender

from pvenix_tui.glyphs import is_ascii


class PlainScrollBar(ScrollBarRender):
    """No eighths of a cell."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


def choose_scrollbar() -> None:
    """Let Textual draw the scrollbars that the terminal can show."""
    ScrollBar.renderer = PlainScrollBar if is_ascii() else ScrollBarRender
