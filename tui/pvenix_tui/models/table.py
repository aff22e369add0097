"""A table as the source of a list: columns, items, and what an item shows in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pvenix_tui.models.lines import Column, Line, Span, column_widths, header_line, table_line

Item = TypeVar("Item")


class Table(Generic[Item]):
    """Items of one kind, a row each; `items` is asked anew whenever rows are drawn."""

    def __init__(
        self,
        columns: Sequence[Column],
        items: Callable[[], Sequence[Item]],
        cells: Callable[[Item], Sequence[Span]],
        key: Callable[[Item], str],
    ) -> None:
        self._columns, self._items, self._cells, self._key = columns, items, cells, key
        self._prose = tuple(column.prose for column in columns)
        self._widths: tuple[int, ...] = ()

    def layout(self, width: int) -> Line | None:
        """Choose the columns that fit; their titles, when they have any."""
        self._widths = column_widths(self._columns, width)
        return header_line(self._widths, self._columns) if any(column.title for column in self._columns) else None

    def count(self) -> int:
        """Number of rows."""
        return len(self._items())

    def line(self, index: int) -> Line:
        """The row at `index`."""
        return table_line(self._widths, self._cells(self._items()[index]), self._prose)

    def key(self, index: int) -> str:
        """What the row at `index` is about."""
        return self._key(self._items()[index])
