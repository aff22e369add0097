"""The journal tab: its last lines, those that come, and what they are narrowed to."""

from __future__ import annotations

from typing_extensions import override

from pvenix_tui.models.hostjournal import PRIORITY_COLUMNS, HostJournal, priority_choices, priority_of
from pvenix_tui.models.hosttabs import Tab
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.screens.hostreadings import HostReadings
from pvenix_tui.session import Session
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.working import in_background


class HostJournalKeys(HostReadings):
    """What is done on the journal of a host."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.journal = HostJournal()

    def journal_view(self, name: str) -> LogView:
        """The widget that shows it."""
        return LogView(self.journal.pane, id=name)

    def activate(self, tab: Tab) -> None:
        """Show a tab."""
        raise NotImplementedError

    @override
    def on_mount(self) -> None:
        """Draw lines as they come."""
        super().on_mount()
        self.session.ticker.add(self)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self.session.ticker.remove(self)

    def ticking(self) -> bool:
        """True when lines came that are not drawn."""
        return self.is_current and self.journal.came

    def tick(self) -> None:
        """Draw them."""
        self.journal.came = False
        self._draw()

    def _draw(self) -> None:
        self.query_one(f"#{Tab.JOURNAL.value}", LogView).flush()
        self.refresh_bars()

    @override
    def read_journal(self) -> None:
        """Ask for its last lines anew, and when it is followed for those that come."""
        self.readings[Tab.JOURNAL].begin()
        self.refresh_bars()
        in_background(self, self._read_journal, group="host-journal")

    async def _read_journal(self) -> None:
        reading, source, journal = self.readings[Tab.JOURNAL], f"journal of {self.host}", self.journal
        follow, fresh = journal.following, False

        async def work() -> None:
            nonlocal fresh
            asked = self.session.backend.journal(self.host, unit=journal.unit, priority=journal.priority, follow=follow)
            async for lines in asked:
                if not fresh:
                    fresh = True
                    journal.begin()
                journal.take(lines)
                reading.take(None, self.session.clock())
            if not fresh:
                journal.begin()
            reading.take(None, self.session.clock())

        if not await self.session.guarded(source, work):
            reading.fail(self.session.problems.pop(source))
            self.session.say(reading.problem, bad=True)
        elif follow:
            self.session.say("the journal ended: the connection is gone, or the host went down; f follows anew")
        journal.following = journal.following and not follow
        journal.came = True

    def show_unit_journal(self, unit: str) -> None:
        """The journal tab with the lines of one unit."""
        self.journal.unit = unit
        self.read_journal()
        self.activate(Tab.JOURNAL)

    def do_host_follow(self) -> None:
        """Show lines as they come, or stop."""
        self.journal.following = not self.journal.following
        self.journal.pane.follow()
        if self.journal.following:
            self.read_journal()
        else:
            self.workers.cancel_group(self, "host-journal")
            self.readings[Tab.JOURNAL].take(None, self.session.clock())
        self._draw()

    def do_host_priority(self) -> None:
        """Choose how bad a line must be."""

        def chosen(key: str | None) -> None:
            if key is not None:
                self.journal.priority = priority_of(key)
                self.read_journal()

        cursor = self.journal.priority or "all"
        self.app.push_screen(Picker("Which lines?", PRIORITY_COLUMNS, priority_choices(), cursor=cursor), chosen)

    def do_host_unit(self) -> None:
        """Ask for a unit."""

        def typed(text: str | None) -> None:
            if text is not None:
                self.journal.unit = text
                self.read_journal()

        self.app.push_screen(Prompt("Only lines of which unit?", value=self.journal.unit, hint="empty for all"), typed)

    def do_host_wrap(self) -> None:
        """Wrap or cut."""
        self.journal.pane.wrapping = not self.journal.pane.wrapping
        self._draw()
