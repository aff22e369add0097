"""The fields of a new host: what is typed in them is kept as a draft, and enter, tab and arrows go through them."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input
from typing_extensions import override

from pvenix.model.newhost import NewHost
from pvenix_tui.models.newhost import (
    DRAFT,
    FORM,
    FormField,
    from_draft,
)
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.session import Session
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.formrow import FormRow
from pvenix_tui.widgets.rows import Rows


class NewHostForm(PvenixScreen[None]):
    """A field for everything that may be said of a new host."""

    # priority: done before the next key is handed out, so that what is typed behind a tab goes to the next field
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "to_field(1)", show=False, priority=True),
        Binding("shift+tab,up", "to_field(-1)", show=False, priority=True),
        Binding("enter", "next_field", show=False, priority=True),
        Binding("pagedown", "page('list.page_down')", show=False, priority=True),
        Binding("pageup", "page('list.page_up')", show=False, priority=True),
    ]

    def __init__(self, session: Session, *, area: str) -> None:
        super().__init__(session, area=area)
        self.values = from_draft(session.memory.table(DRAFT))
        self.from_draft = any(self.values.values())
        """Whether there was a draft."""

    def typed(self) -> None:
        """Something else is in the fields now."""
        raise NotImplementedError

    @property
    def new(self) -> NewHost:
        """The host as it is typed now."""
        return NewHost.of(self.values)

    @property
    def at(self) -> FormField | None:
        """The field that has the keys."""
        row = self.focused.parent if isinstance(self.focused, Field) else None
        return row.field if isinstance(row, FormRow) else None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep the draft, and try the host as it is now."""
        row = event.input.parent
        if not isinstance(row, FormRow) or self.values.get(row.field.asked, "") == event.value:
            return
        self.values[row.field.asked] = event.value
        self.session.memory.keep(DRAFT, {asked.value: text for asked, text in self.values.items() if text})
        self.typed()

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "to_field":
            return self.at is not None
        if action == "next_field":
            return self.at not in (None, FORM[-1])
        return super().check_action(action, parameters)

    def action_to_field(self, step: int) -> None:
        """Give the keys to the next field, or with -1 to the one before; they go round."""
        at = self.at
        number = FORM.index(at) + step if at is not None else 0
        self.set_focus(self.query_one(f"#ask-{FORM[number % len(FORM)].asked}", Field))

    def action_next_field(self) -> None:
        """Enter on every field but the last."""
        self.action_to_field(1)

    def action_page(self, action_id: str) -> None:
        """Move what would be written."""
        self.query_one("#formpreview", Rows).action_do(action_id)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter on the last field: what was typed in it has come by now."""
        event.stop()
        self.action_do("newhost.plan")
