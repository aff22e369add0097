"""One entry of the journal, and what can be done from it wherever it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.journal import Entry
from pvenix_tui.models.journaldetail import Details, as_text, detail_lines
from pvenix_tui.models.lines import Column, Line, Tone, text_line
from pvenix_tui.runfiles.journalread import read_details, read_undos
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.exporting import copy
from pvenix_tui.screens.onboardings import run_screen
from pvenix_tui.screens.undoing import undo_with
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

KEPT: Final = 32
"""Entries whose details are kept."""
COPIES: Final = (Column(title="WHAT", width=14), Column(title="TEXT", width=30, grow=1))


class EntryActions(PvenixScreen[None]):
    """A screen on which one entry of the journal is meant."""

    def __init__(self, session: Session, *, area: str = "") -> None:
        super().__init__(session, area=area)
        self._details: dict[tuple[str, int, str], Details] = {}
        self._reading: object = None
        """The entry whose details are read."""

    def entry(self) -> Entry | None:
        """The entry that is meant."""
        raise NotImplementedError

    @override
    def context(self) -> Context:
        entry = self.entry()
        if entry is None:
            return Context(scope=self.scope)
        state = entry.run.state if entry.run else ""
        return Context(scope=self.scope, entry=entry.key, run=entry.run_id, run_state=state, hosts=entry.hosts)

    def details_of(self, entry: Entry) -> Details | None:
        """What is known of an entry in full; None while it is read."""
        found = self._details.get(_stamp(entry))
        if found is None and self._reading != _stamp(entry):
            self._reading = _stamp(entry)
            in_background(self, partial(self._read_details, entry), group="details")
        return found

    async def _read_details(self, entry: Entry) -> None:
        async def work() -> None:
            found = await asyncio.to_thread(read_details, self.session.backend, entry)
            while len(self._details) >= KEPT:
                del self._details[next(iter(self._details))]
            self._details[_stamp(entry)] = found

        done = await self.session.guarded("journal", work)
        self._reading = None
        if not done:
            self._details[_stamp(entry)] = Details(problem=self.session.problems.pop("journal"))
        self.show_details()

    def show_details(self) -> None:
        """Draw the details: they have been read."""

    def detail(self, width: int) -> list[Line]:
        """The entry in full."""
        entry = self.entry()
        if entry is None:
            return [text_line("no entry shows: what is changed from here comes to stand above", Tone.DIM)]
        return detail_lines(entry, self.details_of(entry), width)

    def open_run(self) -> None:
        """Replay the entry's run, or watch it."""
        entry = self.entry()
        if entry is None or not entry.run_id:
            self.session.say("open: it was no run, but a person's decision", bad=True)
            return
        try:
            run = self.session.backend.runs.open(entry.run_id)
            self.app.push_screen(run_screen(self.session, run, area=self.area))
        except PvenixError as error:
            self.session.say(f"open: {describe(error)}", bad=True)

    def do_journal_undo(self) -> None:
        """Plan what takes the entry back."""
        entry = self.entry()
        if entry is not None:
            undo_with(self, f"{entry.action} {entry.target}", lambda: read_undos(self.session.backend, entry))

    def do_journal_copy(self) -> None:
        """Choose what of the entry is copied."""
        entry = self.entry()
        if entry is None:
            return
        details = self._details.get(_stamp(entry))
        if details is None:
            in_background(self, partial(self._copy_when_read, entry), group="details")
        else:
            self._copy(entry, details)

    async def _copy_when_read(self, entry: Entry) -> None:
        await self._read_details(entry)
        if self.is_current:
            self._copy(entry, self._details[_stamp(entry)])

    def _copy(self, entry: Entry, details: Details) -> None:
        texts = {
            "command line": details.command,
            "undo": next((undo.told for undo in details.undos if undo.possible), ""),
            **({"id": entry.run_id} if entry.run_id else {}),
            "text": as_text(entry),
        }
        why = {"command line": "what it was told is not kept any more", "undo": "nothing takes it back"}
        choices = [
            Choice(
                key=name, cells=((name, Tone.STRONG), (text, Tone.PLAIN)), command=text,
                disabled="" if text else why.get(name, "there is none"),
            )
            for name, text in texts.items()
        ]  # fmt: skip

        def picked(name: str | None) -> None:
            if name:
                copy(self, f"the {name}", texts[name])  # type: ignore[arg-type] # a screen without a result

        self.app.push_screen(Picker("Copy what of the entry?", COPIES, choices, browse=True), picked)


def _stamp(entry: Entry) -> tuple[str, int, str]:
    """What tells an entry from the same one later."""
    return entry.key, len(entry.lines), entry.run.state if entry.run else ""


class EntryScreen(EntryActions):
    """One entry alone, where there is no room for it beside the list."""

    scope = "entry"
    area = "journal"
    BINDINGS: ClassVar[list[BindingType]] = bindings("entry")

    def __init__(self, session: Session, entry: Entry) -> None:
        super().__init__(session)
        self._entry = entry

    @override
    def entry(self) -> Entry:
        return self._entry

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(Document(self.detail), cursor=False, id="entry")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#entry").focus()

    @override
    def where(self) -> str:
        return f"{self._entry.action} {self._entry.target}"

    @override
    def show_details(self) -> None:
        self.redraw()

    def do_journal_open(self) -> None:
        """The entry's run."""
        self.open_run()
