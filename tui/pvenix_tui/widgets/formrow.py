"""One field of a form: its name, what is typed, and what is said of it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from typing_extensions import override

from pvenix_tui.models.lines import Tone
from pvenix_tui.models.newhost import (
    LABEL_WIDTH,
    FormField,
)
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar


class FormRow(Horizontal):
    """One field: its name, what is typed, and what is said of it."""

    DEFAULT_CSS = f"""
    FormRow {{ height: 1; }}
    FormRow > .label {{ width: {LABEL_WIDTH}; }}
    FormRow > Field {{ width: 28; }}
    .-wide FormRow > Field, .-xwide FormRow > Field {{ width: 40; }}
    FormRow > .note {{ width: 1fr; }}
    """

    def __init__(self, field: FormField, value: str) -> None:
        super().__init__(id=f"row-{field.asked}")
        self.field = field
        self._value = value

    @override
    def compose(self) -> ComposeResult:
        label = Bar()
        label.add_class("label")
        label.show(((f" {self.field.asked}", Tone.TITLE),))
        note = Bar(id=f"note-{self.field.asked}")
        note.add_class("note")
        yield label
        yield Field(self._value, id=f"ask-{self.field.asked}")
        yield note
