"""A list with a filter that is kept: `/` types it, every word of it has to be in a row, esc takes it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix_tui.models.lines import Line, Tone, text_line
from pvenix_tui.models.table import Item
from pvenix_tui.screens.lists import ListScreen
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows


class FilteredScreen(ListScreen[Item]):
    """What a kind of item adds: all of them, and a line about the one at the cursor."""

    memory_name: ClassVar[str]
    """Under which the filter is remembered."""

    def all_items(self) -> Sequence[Item]:
        """What there is."""
        raise NotImplementedError

    def preview(self, item: Item) -> Line:
        """What the row has no room for."""
        raise NotImplementedError

    @property
    def filter(self) -> str:
        """What is filtered by."""
        return self.session.memory.text(self.memory_name)

    @override
    def items(self) -> Sequence[Item]:
        words = self.filter.lower().split()
        if not words:
            return self.all_items()
        return [item for item in self.all_items() if self._matches(item, words)]

    def _matches(self, item: Item, words: Sequence[str]) -> bool:
        text = " ".join(text for text, _ in self.cells(item)).lower()
        return all((word[1:] not in text) if word.startswith("!") and word[1:] else word in text for word in words)

    @override
    def body(self) -> Iterable[Widget]:
        yield from super().body()
        yield Field(hint="words of a row, !word for rows without it; enter keeps it", id="filter")

    @override
    def on_mount(self) -> None:
        self.query_one("#filter", Field).display = False
        super().on_mount()
        self.query_one("#list", Rows).focus()

    @override
    def show_bars(self) -> None:
        items, all_items = self.items(), self.all_items()
        item = next((each for each in items if self.item_key(each) == self.at_cursor), None)
        line = self.preview(item) if item is not None else text_line(f" {self._why_none()}", Tone.DIM)
        if self.filter and items:
            line = (*text_line(f" {len(items)}/{len(all_items)}  filter: {self.filter} ", Tone.WARN), *line)
        self.query_one("#preview", Bar).show(line)

    def _why_none(self) -> str:
        if self.filter and self.all_items():
            return f"none of {len(self.all_items())} has {self.filter}; esc shows them all"
        return self.why_empty()

    def refresh_list(self) -> None:
        """Draw the list and its bars; more was read."""
        if self.is_mounted:
            self.query_one("#list", Rows).reload()
            self.refresh_bars()

    def start_filter(self) -> None:
        """Let the person type a filter."""
        field = self.query_one("#filter", Field)
        field.display = True
        field.value = self.filter
        self.set_focus(field)

    @override
    def back(self) -> bool:
        """Give up the field, then the filter. False when neither is there."""
        field = self.query_one("#filter", Field)
        if field.display:
            self._close()
            return True
        if self.filter:
            self._set("")
            return True
        return False

    def _close(self) -> None:
        self.query_one("#filter", Field).display = False
        self.query_one("#list", Rows).focus()
        self.refresh_list()

    def _set(self, text: str) -> None:
        self.session.memory.keep(self.memory_name, text.strip())
        self.refresh_list()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as the person types."""
        event.stop()
        if event.input.display:
            self._set(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        event.stop()
        self._close()
