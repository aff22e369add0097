"""What was done, newest first, and how each of it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix.engine.auditpages import Page
from pvenix.model.errors import PvenixError
from pvenix_tui.exports import save, suggested_path
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.journal import Entry, JournalModel, Told, told
from pvenix_tui.models.journaldetail import save_lines
from pvenix_tui.models.journalfilter import parse
from pvenix_tui.models.journalrows import COLUMNS, entry_cells, head_line, preview_lines
from pvenix_tui.models.lines import Column, Span, Tone
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.screens.entry import EntryActions, EntryScreen
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

MOST: Final = 200_000
"""Lines of the log that are read; `pvenix audit` has them all."""
DRAWN_EVERY: Final = 8
"""Older pages that are taken in before the list is drawn again."""
_FILTER: Final = "journal.filter"
FORMS: Final = (Column(title="FORM", width=12), Column(title="WHAT", width=30, grow=1))


class JournalScreen(EntryActions):
    """The area."""

    scope = "journal"
    area = "journal"
    BINDINGS: ClassVar[list[BindingType]] = bindings("journal")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = JournalModel()
        self.filter = ""
        self._wrong = ""
        self._seen: tuple[int, str, int] = (-1, "", 0)
        self._visible: Sequence[Entry] = ()
        self._end = 0
        """Bytes of the log up to where its newest lines are known."""
        self._at: int | None = None
        """The byte before which older lines are; None while none were read."""
        self._runs: object = None
        """The list of runs for which the log was read last."""

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="journal-head")
        field = Field(hint="who:ana  since:7d  result:failed  host:dns01  !rebuild", id="filter")
        field.display = False
        yield field
        yield Rows(Table(COLUMNS, self.shown, self._cells, lambda entry: entry.key), id="journal")
        yield Bar(id="preview")
        detail = Rows(Document(self.detail), cursor=False, id="journal-detail")
        detail.border_title = "the entry in full"
        yield detail

    @override
    def on_mount(self) -> None:
        self.filter = self.session.memory.text(_FILTER)
        super().on_mount()
        self.list.focus()
        self.reread()

    @override
    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.reread()

    @property
    def list(self) -> Rows:
        """The entries."""
        return self.query_one("#journal", Rows)

    @property
    def in_full(self) -> bool:
        """Whether the entry at the cursor shows in full below the list."""
        return self.query_one("#journal-detail").display

    # --- readings ---

    @override
    def reread(self) -> None:
        in_background(self, self._read, group="journal")

    async def _read(self) -> None:
        if await self.session.guarded("journal", self._read_log):
            self.redraw()

    async def _read_log(self) -> None:
        backend = self.session.backend
        if self._at is None:
            page, lines = await asyncio.to_thread(lambda: _lines(backend.journal_page()))
            self._end = page.end
            self._take_older(page, lines)
            self.list.show(self.list.source)  # until now runs alone showed; the newest entry need not be one of them
        else:
            page, lines = await asyncio.to_thread(lambda: _lines(backend.journal_since(self._end)))
            self._end = page.end
            self.model.take(lines, older=False)
        self.redraw()
        pages = 0
        while self._at and self.model.count < MOST:
            before = self._at
            self._take_older(*await asyncio.to_thread(lambda at=before: _lines(backend.journal_page(at))))  # type: ignore[misc]
            pages += 1
            if not pages % DRAWN_EVERY:
                self.redraw()

    def _take_older(self, page: Page, lines: Sequence[Told]) -> None:
        self._at = page.at
        self.model.take(lines, older=True)

    @override
    def redraw(self) -> None:
        if not self.is_mounted:
            return
        self.model.runs(self.session.runs)
        self.model.commits(self.session.commits)
        if self._runs is not self.session.runs:
            self._runs = self.session.runs
            if self._at is not None:
                self.reread()
        super().redraw()

    def shown(self) -> Sequence[Entry]:
        """The entries that the filter lets through."""
        seen = (self.model.version, self.filter, int(self.session.clock() // 60) if "since:" in self.filter else 0)
        if seen != self._seen:
            self._seen = seen
            test, self._wrong = parse(self.filter, self.session.clock())
            entries = self.model.entries()
            self._visible = [entry for entry in entries if test(entry)] if self.filter else entries
        return self._visible

    def _cells(self, entry: Entry) -> Sequence[Span]:
        return entry_cells(entry, self.session.clock())

    @override
    def entry(self) -> Entry | None:
        key = self.list.key if self.is_mounted else ""
        return self.model.get(key) if key else None

    @override
    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows is self.list:
            self.show_details()
        super().on_rows_moved(event)

    @override
    def show_details(self) -> None:
        if self.in_full:
            self.query_one("#journal-detail", Rows).reload()

    @override
    def show_bars(self) -> None:
        older = f"the newest {self.model.count} lines" if self._at else ""
        head = head_line(len(self.shown()), len(self.model.entries()), self.filter, self._wrong, older)
        self.query_one("#journal-head", Bar).show(head)
        preview = self.query_one("#preview", Bar)
        preview.display = not self.in_full
        preview.show(*preview_lines(self.entry(), read=self._at is not None, filtered=bool(self.filter)))

    # --- actions ---

    def do_journal_open(self) -> None:
        """The entry's run; first the entry in full where it does not show."""
        entry = self.entry()
        if entry is not None and not self.in_full:
            self.app.push_screen(EntryScreen(self.session, entry))
        else:
            self.open_run()

    def do_journal_filter(self) -> None:
        """Type a filter."""
        field = self.query_one("#filter", Field)
        field.display = True
        field.value = self.filter
        self.set_focus(field)

    def do_journal_save(self) -> None:
        """Choose a form and a file, and write what shows."""
        choices = [
            Choice(key=form, cells=((form, Tone.STRONG), (what, Tone.PLAIN)))
            for form, what in (("text", "an entry a line, for a person"), ("JSON lines", "a line of the log each"))
        ]
        self.app.push_screen(Picker("Save in which form?", FORMS, choices, browse=True), self._ask_path)

    def _ask_path(self, form: str | None) -> None:
        if not form:
            return
        path = suggested_path(self.session.backend.state_dir, "journal", self.session.clock())
        lines = save_lines(self.shown(), form)
        if form != "text":
            path = path.with_suffix(".jsonl")

        def typed(answer: str | None) -> None:
            if answer:
                self._write(Path(answer), lines)

        self.app.push_screen(Prompt("Save into which file?", value=str(path)), typed)

    def _write(self, path: Path, lines: Sequence[str]) -> None:
        try:
            written = save(path, [f"{line}\n" for line in lines])
        except PvenixError as error:
            self.session.say(describe(error), bad=True)
        else:
            self.session.say(f"{len(lines)} lines in {written}")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as the person types."""
        event.stop()
        if event.input.display:
            self._set_filter(event.value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        event.stop()
        self._close_filter()

    def _set_filter(self, text: str) -> None:
        if text != self.filter:
            self.filter = text
            self.session.memory.keep(_FILTER, text)
            self.list.cursor = 0
            self.list.show(self.list.source)
        self.refresh_bars()

    def _close_filter(self) -> None:
        self.query_one("#filter", Field).display = False
        self.list.focus()
        self.redraw()

    @override
    def back(self) -> bool:
        """Give up the filter's field, then the filter. False when there is neither."""
        field = self.query_one("#filter", Field)
        if field.display:
            self._close_filter()
        elif self.filter:
            self._set_filter("")
        else:
            return False
        return True


def _lines(page: Page) -> tuple[Page, list[Told]]:
    """A page with its lines as the model takes them; for a thread."""
    return page, [told(record) for record in page.records]
