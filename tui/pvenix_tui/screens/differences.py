"""What every screen with differences has: files in a list, one of them beside it, hunks, a search, one column or two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, TypeVar

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix.model.review import FileDiff
from pvenix_tui.models.diff import DiffDocument, Remark
from pvenix_tui.models.reviewrows import Entry, EntryKind, EntryList, file_entry
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.session import Session
from pvenix_tui.text import foreign
from pvenix_tui.widgets.diffpane import DiffPane
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.working import in_background

Result = TypeVar("Result")
SPLIT_FROM: Final = 120
"""Columns of the terminal from which both sides stand beside each other."""
_SPLIT: Final = "diff.split"


class DiffScreen(PvenixScreen[Result]):
    """Files, and the difference of one of them."""

    shows: ClassVar[Sequence[str]] = ("overview", "diff")
    """The panes, in the order of tab; on a narrow terminal one at a time."""

    def __init__(self, session: Session, *, area: str, note: str) -> None:
        super().__init__(session, area=area)
        self.note = note
        """What stands in the place of files that were not read: that they are being read, or why they cannot be."""

    async def read(self) -> None:
        """Read what there is to show. Raises: PvenixError."""
        raise NotImplementedError

    @override
    def reread(self) -> None:
        in_background(self, self._read, group=self.scope)

    async def _read(self) -> None:
        if not await self.session.guarded(self.scope, self.read):
            self.note = self.session.problems.pop(self.scope)
            self.not_read()
        self.files_changed()

    def not_read(self) -> None:
        """It could not be read: `note` says why."""

    def files(self) -> Sequence[FileDiff]:
        """The files that there are."""
        raise NotImplementedError

    def entries(self) -> Sequence[Entry]:
        """The rows of the list."""
        return [file_entry(file) for file in self.files()]

    def remarks(self, file: FileDiff) -> Mapping[int, Sequence[Remark]]:  # noqa: ARG002 for those who have some
        """What stands below lines of a file."""
        return {}

    @override
    def body(self) -> Iterable[Widget]:
        self.list = EntryList(self.entries)
        yield Bar(id="status")
        with Horizontal(id="sides-diff"):
            overview = Rows(self.list, id="overview")
            overview.skips = self._is_heading
            yield overview
            yield DiffPane(id="diff")
        yield Field(hint="find in this file; enter keeps it, esc leaves", id="find")
        yield Bar(id="note")

    @override
    def on_mount(self) -> None:
        self.query_one("#find", Field).display = False
        super().on_mount()
        self._to_pane("overview")
        self.reread()

    def _is_heading(self, index: int) -> bool:
        return index < len(self.list.rows) and self.list.rows[index].kind is EntryKind.HEADING

    @property
    def overview(self) -> Rows:
        """The list."""
        return self.query_one("#overview", Rows)

    @property
    def pane(self) -> DiffPane:
        """The difference."""
        return self.query_one("#diff", DiffPane)

    @property
    def document(self) -> DiffDocument | None:
        """The difference that shows."""
        return self.pane.document if self.is_mounted else None

    @property
    def file(self) -> FileDiff | None:
        """The file that shows."""
        return self.document.diff if self.document else None

    @property
    def at_entry(self) -> Entry | None:
        """The row at the cursor of the list."""
        if not self.is_mounted:
            return None
        cursor = self.overview.cursor
        return self.list.rows[cursor] if cursor < len(self.list.rows) else None

    def show_file(self, path: str) -> None:
        """Show the difference of a file; the same one again keeps its place."""
        file = next((file for file in self.files() if file.path == path), None)
        if file is None:
            self.pane.clear()
        elif self.document is None or self.document.diff != file:
            document = DiffDocument(file, self.remarks(file))
            document.split = self._splits and document.two_sided
            self.pane.open(document)
        else:
            self.document.remarks = self.remarks(file)
            self.pane.reload()
        self.pane.border_title = foreign(path)

    def files_changed(self) -> None:
        """Files came, or other ones: keep the one that shows, else show the first."""
        paths = [file.path for file in self.files()]
        shown = self.file.path if self.file else ""
        self.show_file(shown if shown in paths else next(iter(paths), ""))
        self.redraw()

    # --- panes ---

    def _to_pane(self, name: str) -> None:
        for each in self.shows:
            self.query_one(f"#{each}").set_class(each == name, "-active")
        self.query_one("#sides-diff").set_class(self._splits and self.in_diff, "-one")
        self.query_one(f"#{name}").focus()
        self.refresh_bars()

    @property
    def in_diff(self) -> bool:
        """Whether keys go to the difference."""
        return self.is_mounted and self.pane.has_class("-active")

    def do_diff_pane(self) -> None:
        """To the other pane."""
        self._to_pane("overview" if self.in_diff else "diff")

    def on_descendant_focus(self) -> None:
        """A click into a pane makes it the one that keys go to."""
        focused = self.focused.id if self.focused else ""
        if focused in self.shows and not self.query_one(f"#{focused}").has_class("-active"):
            self._to_pane(str(focused))

    @override
    def back(self) -> bool:
        """Give up the search, then go back from the difference to the list. False when neither is there."""
        field = self.query_one("#find", Field)
        if field.display or (self.document and self.document.search):
            self._find("")
            field.display = False
            self._to_pane("diff")
            return True
        if self.in_diff:
            self._to_pane("overview")
            return True
        return False

    # --- one column or two ---

    @property
    def _splits(self) -> bool:
        return bool(self.session.memory.number(_SPLIT)) and not self._no_split()

    def _no_split(self) -> str:
        return "" if self.size.width >= SPLIT_FROM else f"both sides need {SPLIT_FROM} columns"

    def do_diff_sides(self) -> None:
        """One column or two."""
        self.session.memory.keep(_SPLIT, 0 if self._splits else 1)
        self.on_resize()
        if self._splits and self.document is not None and not self.document.two_sided:
            self.session.say("nothing was taken out of this file: it has one side")

    def on_resize(self) -> None:
        """A narrow terminal has room for one column."""
        self.query_one("#sides-diff").set_class(self._splits and self.in_diff, "-one")
        if self.document is not None:
            self.document.split = self._splits and self.document.two_sided
            self.pane.reload()

    def reasons(self) -> dict[str, str]:
        """Why actions cannot be done now."""
        return {"diff.sides": self._no_split()}

    # --- files, hunks, matches ---

    def do_diff_next_file(self) -> None:
        """The next file."""
        self._step(1)

    def do_diff_previous_file(self) -> None:
        """The file before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        paths = [file.path for file in self.files()]
        if not paths:
            return
        at = paths.index(self.file.path) if self.file and self.file.path in paths else 0
        if not 0 <= at + by < len(paths):
            self.session.say("this is the last file" if by > 0 else "this is the first file")
            return
        self.show_file(paths[at + by])
        self.cursor_to(f"{EntryKind.FILE}:{paths[at + by]}")

    def cursor_to(self, key: str) -> None:
        """Put the list's cursor on a row."""
        found = next((index for index, entry in enumerate(self.list.rows) if entry.key == key), None)
        if found is not None:
            self.overview.move_to(found)

    def do_diff_next(self) -> None:
        """The next match or hunk."""
        self._seek(backwards=False)

    def do_diff_previous(self) -> None:
        """The match or hunk before."""
        self._seek(backwards=True)

    def _seek(self, *, backwards: bool) -> None:
        document = self.document
        if document is None:
            return
        seek = document.next_match if document.search else document.next_hunk
        found = seek(self.pane.cursor, backwards=backwards)
        if found is None:
            what = f"no {document.search}" if document.search else "no hunk"
            self.session.say(f"{what} {'before' if backwards else 'after'} this")
        else:
            self.pane.move_to(found)
            self._to_pane("diff")

    def do_diff_search(self) -> None:
        """Type what to look for."""
        field = self.query_one("#find", Field)
        field.display = True
        field.value = self.document.search if self.document else ""
        self.set_focus(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look as the person types."""
        event.stop()
        if event.input.display:
            self._find(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the search; n and N go on."""
        event.stop()
        event.input.display = False
        self._to_pane("diff")

    def _find(self, text: str) -> None:
        if self.document is None:
            return
        self.document.search = text
        count = self.document.matches
        found = f"/{text}  {count} line{'' if count == 1 else 's'}  n N" if text else ""
        self.pane.border_subtitle = foreign(found)
        row = self.document.next_match(self.pane.cursor - 1) if text else None
        if row is not None:
            self.pane.move_to(row)
        self.pane.refresh_shown()
        self.refresh_bars()

    # --- the list ---

    @override
    def on_rows_moved(self, moved: Rows.Moved) -> None:
        if moved.rows.id == "overview":
            entry = self.at_entry
            if entry is not None and entry.kind is EntryKind.FILE and not self.in_diff:
                self.show_file(entry.name)
        elif isinstance(moved, DiffPane.Moved) and moved.source is self.document:
            self.read_on(moved)
        self.refresh_bars()

    def read_on(self, moved: Rows.Moved) -> None:
        """Rows of the difference were on the screen."""
