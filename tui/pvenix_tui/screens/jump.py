"""A letter for each pane of the screen: press it, and the pane has the keys."""

from __future__ import annotations

from string import ascii_lowercase

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.screen import Screen
from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.models.lines import Line, Tone, text_line
from pvenix_tui.screens.dialogs import Dialog
from pvenix_tui.text import foreign
from pvenix_tui.widgets.rows import Document, Rows


def panes_of(screen: Screen[object]) -> dict[str, Widget]:
    """The widgets that can have the keys, by the letter that a person presses, in the order of `tab`."""
    panes = [widget for widget in screen.focus_chain if widget.focusable]
    return dict(zip(ascii_lowercase, panes, strict=False))


def title_of(widget: Widget) -> str:
    """What a person calls the pane."""
    title = Content.from_markup(widget.border_title or "").plain
    return title.strip() or (widget.id or type(widget).__name__).replace("-", " ")


class Jump(Dialog[str]):
    """The panes and their letters; the result is the letter."""

    def __init__(self, panes: dict[str, Widget]) -> None:
        super().__init__()
        self._panes = {letter: title_of(widget) for letter, widget in panes.items()}

    @override
    def compose(self) -> ComposeResult:
        with Vertical(id="box", classes="small") as box:
            box.border_title = foreign("Jump to which pane?")
            lines = Rows(Document(self._lines), cursor=False, id="question")
            lines.styles.height = len(self._panes)
            yield lines

    def _lines(self, _: int) -> list[Line]:
        return [((f" {letter}  ", Tone.ACCENT), *text_line(title)) for letter, title in self._panes.items()]

    def on_key(self, event: Key) -> None:
        """A letter of a pane is the result."""
        if event.character in self._panes:
            event.stop()
            self.dismiss(event.character)
