"""A screen that is one list of readings, with a line below it that says why the list is empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic

from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.models.lines import Column, Span, Tone, text_line
from pvenix_tui.models.table import Item, Table
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows


class ListScreen(PvenixScreen[None], Generic[Item]):
    """What a kind of item adds: its columns, where the items are, and what one shows."""

    columns: ClassVar[Sequence[Column]]

    def items(self) -> Sequence[Item]:
        """What is listed."""
        raise NotImplementedError

    def cells(self, item: Item) -> Sequence[Span]:
        """What an item shows in each column."""
        raise NotImplementedError

    def item_key(self, item: Item) -> str:
        """What identifies an item."""
        raise NotImplementedError

    def why_empty(self) -> str:
        """Why there is no item, and what to do about it."""
        raise NotImplementedError

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(Table(self.columns, self.items, self.cells, self.item_key), id="list")
        yield Bar(id="preview")

    @property
    def at_cursor(self) -> str:
        """The key of the item at the cursor; empty when there is none."""
        return self.query_one("#list", Rows).key if self.is_mounted else ""

    @override
    def show_bars(self) -> None:
        self.query_one("#preview", Bar).show(text_line("" if self.items() else self.why_empty(), Tone.DIM))
