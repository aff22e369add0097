"""The log of one host on a run's screen: follow, search, times, steps, errors, and the whole of it for a file."""

from __future__ import annotations

import asyncio
from typing import Final

from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix_tui.exports import Exported
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Prompt
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.working import in_background

NO_QUERY: Final = "nothing is searched for; / asks what to find"


class RunLog(PvenixScreen[None]):
    """The part of a run's screen that is about one log."""

    run: RunDir
    follower: RunFollower
    pane: LogPane
    focus_host: str

    def _redraw_log(self, *, missing: str = "") -> None:
        if missing:
            self.session.say(missing, bad=True)
        self.query_one("#log", LogView).flush()
        self.refresh_bars()

    def do_log_follow(self) -> None:
        """Follow, or stay where it is."""
        (self.pane.pause if self.pane.following else self.pane.follow)()
        self._redraw_log()

    def do_log_wrap(self) -> None:
        """Wrap or cut."""
        self.pane.wrapping = not self.pane.wrapping
        self.session.memory.keep("log.wrap", self.pane.wrapping)
        self.session.say("long lines are wrapped" if self.pane.wrapping else "long lines are cut")
        self._redraw_log()

    def do_log_time(self) -> None:
        """The time of day before each line, the time since the start, or none."""
        self.pane.times = self.pane.times.next
        self.session.memory.keep("log.times", self.pane.times.value)
        self._redraw_log()

    # --- finding ---

    def do_log_search(self) -> None:
        """Ask what to find."""
        self.app.push_screen(Prompt("Find in this log", value=self.pane.query), self._search)

    def _search(self, text: str | None) -> None:
        if text is None:
            return
        if self.pane.search(text) or not text:
            self._redraw_log()
        else:
            self._search_older(self.pane.lines.near)

    def do_log_next(self) -> None:
        """The next match."""
        found = self.pane.search_next(backwards=False)
        self._redraw_log(missing="" if found else self._none_below())

    def do_log_previous(self) -> None:
        """The match before."""
        if self.pane.search_next(backwards=True) or not self.pane.query:
            self._redraw_log(missing="" if self.pane.query else NO_QUERY)
        else:
            self._search_older(self.pane.lines.near if self.pane.match is None else self.pane.match)

    def _none_below(self) -> str:
        return f"no line with {self.pane.query!r} there" if self.pane.query else NO_QUERY

    def _search_older(self, below: int) -> None:
        """Find the match before this line in the file, in a thread: a log may be long."""
        tail, query = self.follower.tail(self.focus_host), self.pane.query

        async def search() -> None:
            found = await asyncio.to_thread(tail.find_older, query, below)
            if not self.is_mounted or self.pane.lines is not tail or self.pane.query != query:
                return
            if found is not None:
                self.pane.stand_on_older(found)
            self._redraw_log(missing=self._none_below() if found is None else "")

        in_background(self, search, group="search")

    def do_log_only(self) -> None:
        """Only lines that match, or all."""
        if not self.pane.query:
            self._redraw_log(missing=f"only matches: {NO_QUERY}")
            return
        self.pane.only = not self.pane.only
        if self.pane.only:
            self.pane.follow()
        self._redraw_log()

    def do_log_error(self) -> None:
        """The next line that tells of an error."""
        found = self.pane.next_error()
        self._redraw_log(missing="" if found else "no line in memory tells of an error")

    def do_log_step_next(self) -> None:
        """The next step's start."""
        self._step(backwards=False)

    def do_log_step_previous(self) -> None:
        """The step's start before."""
        self._step(backwards=True)

    def _step(self, *, backwards: bool) -> None:
        found = self.pane.step_boundary(self.follower.step_lines(self.focus_host), backwards=backwards)
        self._redraw_log(missing="" if found else f"no step begins {'before' if backwards else 'after'} this line")

    @override
    def exported(self) -> Exported | None:
        """The whole log of the host at the cursor, from its file."""
        lines = self.follower.tail(self.focus_host).whole() if self.focus_host else ()
        return Exported(name=f"run-{self.run.run}-{self.focus_host}", lines=tuple(lines)) if lines else None
