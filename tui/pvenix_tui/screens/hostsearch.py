"""Searching a host's tabs: in the journal by its pane, in documents line by line, in the units by a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pvenix_tui.models.hostdrift import beside
from pvenix_tui.models.hosttabs import Tab
from pvenix_tui.models.lines import plain
from pvenix_tui.screens.dialogs import Prompt
from pvenix_tui.screens.hostreadings import HostReadings
from pvenix_tui.session import Session
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.rows import Rows

if TYPE_CHECKING:
    from pvenix_tui.models.hostdrift import DriftLines
    from pvenix_tui.models.hostjournal import HostJournal


ALL_SHOWS: Final = "the rest shows already"


def moved(rows: Rows, line: int) -> bool:
    """Bring a line of a document to the top; False when that moves nothing, for the end shows already."""
    before = rows.top
    rows.move_to(line)
    return rows.top != before


class HostSearch(HostReadings):
    """What finds things on a host's tabs."""

    active: Tab
    journal: HostJournal
    drift_lines: DriftLines
    unit_filter: str

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.query_text = ""
        """What is searched for in the documents."""

    def do_host_search(self) -> None:
        """Ask what to find."""
        value = {Tab.UNITS: self.unit_filter, Tab.JOURNAL: self.journal.pane.query}.get(self.active, self.query_text)
        title = "Only units with" if self.active is Tab.UNITS else f"Find on the tab {self.active.value}"
        self.app.push_screen(Prompt(title, value=value, hint="empty for none"), self._search)

    def _search(self, text: str | None) -> None:
        if text is None:
            return
        match self.active:
            case Tab.UNITS:
                self.unit_filter = text
                self.redraw()
            case Tab.JOURNAL:
                self._found(found=self.journal.pane.search(text) or not text, text=text)
            case _:
                self.query_text = text
                if text:
                    self._to_match(backwards=False, here=True)
                self.refresh_bars()

    def do_host_match(self) -> None:
        """The next match, or hunk."""
        self._next(backwards=False)

    def do_host_match_back(self) -> None:
        """The match before, or hunk."""
        self._next(backwards=True)

    def _next(self, *, backwards: bool) -> None:
        if self.active is Tab.JOURNAL:
            pane = self.journal.pane
            self._found(found=pane.search_next(backwards=backwards), text=pane.query)
        elif self.active is Tab.UNITS:
            self.session.say("/ filters the units; there is nothing to go on with")
        elif self.query_text:
            self._to_match(backwards=backwards)
        elif self.active is Tab.DRIFT:
            self._to(beside(self.drift_lines.places.hunks, self._rows.top, backwards=backwards), "hunk", backwards)
        else:
            self.session.say("/ finds text here first")

    @property
    def _rows(self) -> Rows:
        return self.query_one(f"#{self.active.value}", Rows)

    def _to_match(self, *, backwards: bool, here: bool = False) -> None:
        source, wanted = self._rows.source, self.query_text.casefold()
        found = [at for at in range(source.count()) if wanted in plain(source.line(at)).casefold()]
        start = self._rows.top - 1 if here else self._rows.top
        line = beside(found, start, backwards=backwards)
        self._to(line if line is not None else (found[0] if found and here else None), repr(self.query_text), backwards)

    def _to(self, line: int | None, what: str, backwards: bool) -> None:  # noqa: FBT001 a direction
        if line is None:
            self.session.say(f"no {what} {'above' if backwards else 'below'}", bad=True)
        elif not moved(self._rows, line):
            self.session.say(ALL_SHOWS)

    def _found(self, *, found: bool, text: str) -> None:
        if not found:
            self.session.say(f"no line with {text!r} there", bad=True)
        self.query_one(f"#{Tab.JOURNAL.value}", LogView).flush()
        self.refresh_bars()
