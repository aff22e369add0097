"""A line of input whose content cannot carry control characters, pasted or not."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import Input
from typing_extensions import override

from pvenix_tui.glyphs import is_ascii
from pvenix_tui.text import clean, safe


class Field(Input):
    """An input that never blinks and never holds what could not be typed."""

    DEFAULT_CSS = """
    Field { height: 1; border: none; padding: 0 1; background: $boost; }
    Field:focus { border: none; background: $cursor; }
    """

    def __init__(
        self,
        value: str = "",
        *,
        hint: str = "",
        id: str | None = None,  # noqa: A002 Textual's own name
    ) -> None:
        super().__init__(clean(value), placeholder=safe(hint), compact=True, select_on_focus=False, id=id)
        self.cursor_blink = False

    def show_end(self) -> None:
        """Bring the end of a value that is longer than the field into sight, with the cursor behind it."""
        self.action_home()
        self.action_end()

    @override
    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        if not is_ascii():
            return strip
        return Strip([Segment(_plain(text), style, control) for text, style, control in strip], strip.cell_length)

    def validate_value(self, value: str) -> str:
        """The value as it is kept."""
        return clean(value)


def _plain(text: str) -> str:
    """`text` with `?` in each cell that ASCII cannot draw: the cursor must stay over the character that it is on."""
    return "".join(character if character.isascii() else "?" * cell_len(character) for character in text)
