"""A line of input whose content cannot carry control characters, pasted or not."""

from __future__ import annotations

from textual.widgets import Input

from pvenix_tui.text import safe


class Field(Input):
    """An input that never blinks and never holds what could not be typed."""

    DEFAULT_CSS = """
    Field { height: 1; border: none; padding: 0 1; background: $boost; }
    Field:focus { border: none; background: $primary 30%; }
    """

    def __init__(self, value: str = "", *, hint: str = "", id: str | None = None) -> None:  # noqa: A002 Textual's name
        super().__init__(safe(value), placeholder=safe(hint), compact=True, select_on_focus=False, id=id)
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """The value as it is kept."""
        return safe(value)
