"""A list or a document of lines, however long: only the lines that show are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual.binding import BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.bindings import bindings
from pvenix_tui.models.lines import Line
from pvenix_tui.widgets.painted import Cursor, Painted


class Source(Protocol):
    """What a `Rows` draws."""

    def layout(self, width: int) -> Line | None:
        """Prepare for `width` cells; the header, if there is one."""

    def count(self) -> int:
        """Number of rows."""

    def line(self, index: int) -> Line:
        """The row at `index`, laid out."""

    def key(self, index: int) -> str:
        """What the row is about: the cursor stays on it when rows come and go."""


@dataclass(slots=True)
class Document:
    """A source of plain lines, made anew for each width."""

    make: Callable[[int], Sequence[Line]]
    lines: Sequence[Line] = ()

    def layout(self, width: int) -> Line | None:
        """Lay the lines out."""
        self.lines = self.make(width)
        return None

    def count(self) -> int:
        """Number of lines."""
        return len(self.lines)

    def line(self, index: int) -> Line:
        """One line."""
        return self.lines[index]

    def key(self, index: int) -> str:
        """A line is known by its number."""
        return str(index)


class Rows(Painted, can_focus=True):
    """Rows with a cursor, or a document that scrolls (`cursor=False`)."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("list")
    DEFAULT_CSS = """
    Rows { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    class Moved(Message):
        """The cursor or the part of a document that shows has changed."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows
            self.top, self.shown = rows.top, rows.shown
            """What showed at that moment; when keys come in a burst the widget is further by the time this is read."""

        @property
        @override
        def control(self) -> Rows:
            return self.rows

    class Chosen(Moved):
        """A row was chosen with the mouse (a second click on it)."""

    def __init__(self, source: Source, *, cursor: bool = True, id: str | None = None) -> None:  # noqa: A002 Textual's name
        super().__init__(id=id)
        self.source = source
        self.skips: Callable[[int], bool] = lambda _: False
        """Whether the cursor passes over a row."""
        self.when_empty: Callable[[], Line] = lambda: ()
        """What is said where the first row would stand, when there is none."""
        self.has_cursor = cursor
        self.cursor = 0
        self._cursor_key = ""
        self._header: Line | None = None
        self._laid_out = False
        self._width = 0
        """What it is laid out for."""
        self._drawn: list[tuple[Line, Cursor]] = []
        self._aside = False
        """Whether another pane has the keys."""

    @override
    def on_mount(self) -> None:  # Textual calls the base's own as well
        """Draw the cursor as that of the pane with the keys, or of one without."""
        self.watch(self.screen, "focused", self._focus_went)

    def _focus_went(self, focused: Widget | None) -> None:
        """A field, a menu's or a filter's, takes the keys from no pane: what is typed there is about its rows."""
        if isinstance(focused, Painted):
            self._aside = focused is not self
            self._refresh_changed()

    def on_resize(self, _: Resize) -> None:
        """Lay out for the new width."""
        self.reload()

    def show(self, source: Source) -> None:
        """Draw another source from its start."""
        self.source, self._laid_out = source, False
        self.cursor, self._cursor_key = 0, ""
        self.reload()
        self.scroll_to(y=0, animate=False)

    def begin_at(self, key: str) -> None:
        """Begin with the cursor on the row with this key, if there is one; keys that come before a layout move from there."""
        for index in range(self.source.count()):
            if self.source.key(index) == key:
                self.cursor, self._cursor_key = index, key

    def reload(self) -> None:
        """The source has changed: keep the cursor on its row, lay out and draw."""
        self._lay_out()
        count = self.source.count()
        before = self.cursor
        if self._cursor_key:
            found = next((index for index in range(count) if self.source.key(index) == self._cursor_key), self.cursor)
            self.cursor = found
        self.cursor = self._settled(self.cursor)
        self._cursor_key = self.key
        self.virtual_size = Size(self._text_width(), count + self._header_height)
        self._refresh_changed()
        if self.has_cursor and before != self.cursor < self.shown:
            self.scroll_to(y=0, animate=False)  # rows came or went above it: what stands first is not left out of sight
        elif self.has_cursor:
            self._show_cursor()
        self.post_message(self.Moved(self))

    def _lay_out(self) -> None:
        self._width = self._text_width()
        self._header = self.source.layout(self._width)
        self._laid_out = True

    def _refresh_changed(self) -> None:
        """Draw only the lines that differ from what is drawn: a reading that changes nothing costs no output."""
        lines = [self._visible_line(y) for y in range(self.size.height)]
        if len(lines) != len(self._drawn):
            self.refresh()
        else:
            for y, line in enumerate(lines):
                if line != self._drawn[y]:
                    self.refresh(Region(0, y, self.size.width, 1))
        self._drawn = lines

    def _visible_line(self, y: int) -> tuple[Line, Cursor]:
        """What stands at line `y` of the widget, and how the cursor is drawn when it is on it."""
        if self._header is not None and y == 0:
            return self._header, Cursor.NONE
        index = self.top + y - self._header_height
        if not self._laid_out or index >= self.source.count():
            return self.when_empty() if self._laid_out and not index else (), Cursor.NONE
        if not self.has_cursor or index != self.cursor:
            return self.source.line(index), Cursor.NONE
        return self.source.line(index), Cursor.ASIDE if self._aside else Cursor.HERE

    @property
    def key(self) -> str:
        """What the row at the cursor is about, empty when there are no rows."""
        return self.source.key(self.cursor) if self.cursor < self.source.count() else ""

    @property
    def top(self) -> int:
        """The first row that shows."""
        return round(self.scroll_y)

    @property
    def shown(self) -> int:
        """Rows that the widget has room for."""
        return max(1, self.size.height - self._header_height)

    @property
    def _header_height(self) -> int:
        return 0 if self._header is None else 1

    def _text_width(self) -> int:
        return max(1, self.scrollable_content_region.width)

    @property
    def at_end(self) -> bool:
        """True when the last row shows."""
        return self.top + self.shown >= self.source.count()

    def move_to(self, index: int) -> None:
        """Put the cursor (of a document: its top) at a row."""
        if not self.has_cursor:
            self.scroll_to(y=index, animate=False, immediate=True)
            self.post_message(self.Moved(self))
            return
        self.cursor = self._settled(index)
        self._cursor_key = self.key
        self._show_cursor()
        self._refresh_changed()
        self.post_message(self.Moved(self))

    def _settled(self, index: int) -> int:
        """The row nearest to `index` that the cursor may be on: onward from where it is, else back."""
        count = self.source.count()
        index = max(0, min(index, count - 1))
        onward = -1 if index < self.cursor else 1
        ways = (range(index, count if onward > 0 else -1, onward), range(index, -1 if onward > 0 else count, -onward))
        return next((row for way in ways for row in way if not self.skips(row)), index)

    def action_do(self, action_id: str) -> None:
        """Move as the action says."""
        here = self.cursor if self.has_cursor else self.top
        page = max(1, self.shown - 1)
        target = {
            "list.down": here + 1,
            "list.up": here - 1,
            "list.page_down": here + page,
            "list.page_up": here - page,
            "list.top": 0,
            "list.bottom": self.source.count() - (1 if self.has_cursor else self.shown),
        }[action_id]
        self.move_to(max(0, target))

    def on_click(self, event: Click) -> None:
        """The first click moves the cursor, a click on the cursor's row chooses it."""
        offset = event.get_content_offset(self)
        if offset is None or not self.has_cursor or offset.y < self._header_height:
            return
        index = self.top + offset.y - self._header_height
        if index >= self.source.count() or self.skips(index):
            return
        if index == self.cursor:
            self.post_message(self.Chosen(self))
        else:
            self.move_to(index)

    def _show_cursor(self) -> None:
        top = self.cursor - 1 if self.cursor and self.skips(self.cursor - 1) else self.cursor  # its heading with it
        self.scroll_to_region(
            Region(0, top, 1, self.cursor - top + 1 + self._header_height), animate=False, force=True, x_axis=False
        )

    @override
    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self.has_cursor and round(old_value) != round(new_value):
            self.post_message(self.Moved(self))

    @override
    def render_line(self, y: int) -> Strip:
        if self._laid_out and self._width != self._text_width():
            self._lay_out()  # drawn before it was told of its size
        shown = self._visible_line(y)
        if y < len(self._drawn):
            self._drawn[y] = shown
        return self.strip(shown[0], self.size.width, cursor=shown[1])
