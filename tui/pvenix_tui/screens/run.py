"""A run: every host with its step and last line, live panes where there is room, the log of one host, and the requests a person may make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.follower import RunFollower
from pvenix_tui.models.lines import Line, Tone, wrap
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import HostRun
from pvenix_tui.models.runrows import HostRunTable, log_title, run_notes, run_summary
from pvenix_tui.models.tiles import grid_height, tile_grid
from pvenix_tui.screens.approving import Approver
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.commands import CommandsScreen
from pvenix_tui.screens.dialogs import Confirm, Prompt
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.widgets.tilegrid import TileGrid


class RunScreen(PvenixScreen[None]):
    """Follows the files of a run, live or finished; what it wants of the run it asks by request."""

    scope = "run"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

    def __init__(self, session: Session, run: RunDir, *, area: str, started: bool = False) -> None:
        super().__init__(session, area=area)
        self.run = run
        self.follower = RunFollower(run)
        if started:
            self.follower.expect()
        self._table = HostRunTable(self.follower.model, self.follower.ring, session.clock)
        self._pane = LogPane(LineRing(1))
        self._second = -1
        self._approver = Approver(session, run, lambda hosts: self._retry(hosts, hosts))

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        yield Rows(self._table, id="tiles")
        yield TileGrid(self._panes, id="panes")
        yield Bar(id="logtitle")
        yield LogView(self._pane, id="log")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        tiles = self.query_one("#tiles", Rows)
        self._share_height()
        self.follower.poll("")
        self.tick()
        tiles.focus()
        self.session.ticker.add(self)

    def on_resize(self) -> None:
        """Share the height anew."""
        self._share_height()

    def _share_height(self) -> None:
        hosts, size = len(self.follower.model.hosts), self.app.size
        self.query_one("#tiles", Rows).styles.max_height = min(hosts + 1, max(9, size.height // 4))
        panes = self.query_one("#panes", TileGrid)
        panes.styles.height = grid_height(hosts, size.width, size.height * 2 // 5)
        panes.set_class(hosts > 1, "-several")

    def on_unmount(self) -> None:
        """Stop following; the run itself goes on."""
        self.session.ticker.remove(self)

    # --- the ticker's view ---

    def ticking(self) -> bool:
        """True while it is in front."""
        return self.is_current

    def tick(self) -> None:
        """Read the run's files and draw what changed; running times once a second."""
        was_alive = self.follower.alive
        changed = self.follower.poll(self._focus_host)
        if was_alive and not self.follower.alive:
            self.session.outdated()
            self._approver.ask(self.app)
        second = int(self.session.clock())
        if changed or (self.follower.state in ("running", "starting") and second != self._second):
            self._second = second
            self.redraw()
        self.query_one("#panes", TileGrid).flush()
        self.query_one("#log", LogView).flush()
        self._show_log_title()

    def _panes(self, width: int, height: int) -> list[Line]:
        return tile_grid(self.follower.model.ordered(), self.follower.ring, width, height)

    @property
    def _focus_host(self) -> str:
        return self.query_one("#tiles", Rows).key if self.is_mounted else ""

    @property
    def _host(self) -> HostRun | None:
        return self.follower.model.hosts.get(self._focus_host)

    @override
    def redraw(self) -> None:
        self._table.refresh()
        super().redraw()

    @override
    def on_rows_moved(self, _: Rows.Moved) -> None:
        if self._focus_host:
            self._pane.show(self.follower.ring(self._focus_host))
        self.query_one("#log", LogView).flush()
        self.refresh_bars()

    @override
    def show_bars(self) -> None:
        self.query_one("#status", Bar).show(run_summary(self.follower, self.session.clock()))
        self._show_log_title()

    def _show_log_title(self) -> None:
        width = max(1, self.size.width)
        notes = [piece for note in run_notes(self.follower.model, self._host) for piece in wrap(note, width, indent=1)]
        self.query_one("#logtitle", Bar).show(log_title(self._host, self._pane), *notes[:4])

    @override
    def where(self) -> str:
        return self.run.run

    @override
    def context(self) -> Context:
        host = self._host
        model = self.follower.model
        live = self.follower.state == "running"
        return Context(
            scope=self.scope,
            hosts=(host.host,) if host else (),
            run=self.run.run,
            run_state=self.follower.state,
            run_paused=model.paused,
            gates=sum(1 for one in model.hosts.values() if one.gate),
            approvals=sum(1 for one in model.hosts.values() if one.asks),
            host_retry=host.retry_reason(live=live) if host else "no host is at the cursor",
            retries=sum(1 for one in model.hosts.values() if not one.retry_reason(live=live)),
        )

    # --- requests ---

    def _request(self, kind: str, host: str, said: str) -> None:
        try:
            self.run.request(kind, host)
        except (PvenixError, OSError) as error:
            self.session.say(describe(error) if isinstance(error, PvenixError) else str(error), bad=True)
            return
        self.session.say(said)

    def do_run_continue(self) -> None:
        """Let all that wait go on."""
        self.follower.model.paused = False
        self._request("continue", "", "asked every waiting host to go on")

    def do_run_pause(self) -> None:
        """Hold before the next steps."""
        self.follower.model.paused = True
        self._request("pause", "", "asked the run to pause before its next steps; c goes on")

    def do_run_retry(self) -> None:
        """Another attempt for the host at the cursor."""
        self._retry([self._focus_host])

    def do_run_retry_all(self) -> None:
        """Another attempt for all that did not succeed."""
        self._retry([""])

    def _retry(self, hosts: Sequence[str], only: Sequence[str] = ()) -> None:
        if self.follower.state != "running":
            self.run_worker(self._resume(only), group="resume", exclusive=True, exit_on_error=False)
            return
        for host in hosts:
            self._request("retry", host, f"asked for another attempt of {host or 'every failed host'}")

    async def _resume(self, only: Sequence[str] = ()) -> None:
        async def work() -> None:
            await asyncio.to_thread(self.session.backend.resume_detached, self.run, only)
            self.follower.expect()

        if await self.session.guarded("resume", work):
            self.session.say("the run goes on where it stopped")
        else:
            self.session.say(self.session.problems.pop("resume"), bad=True)

    def do_run_approve(self) -> None:
        """Ask about what waits."""
        self._approver.ask(self.app)

    def do_run_cancel(self) -> None:
        """Ask, then cancel the run."""
        self._cancel("", "the run")

    def do_run_cancel_host(self) -> None:
        """Ask, then cancel the host at the cursor."""
        self._cancel(self._focus_host, self._focus_host)

    def _cancel(self, host: str, what: str) -> None:
        lines: list[Line] = [
            (("No further step starts; a step at work is let finish.", Tone.PLAIN),),
            (("What is done stays done; R or pvenix resume goes on later.", Tone.DIM),),
        ]

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes:
                self._request("cancel", host, f"asked {what} to end")

        dialog = Confirm(f"Cancel {what}?", lines, clock=self.session.clock, yes=f"cancel {what}")
        self.app.push_screen(dialog, answered)

    def do_run_review(self) -> None:
        """The review of the host at the cursor."""
        self.app.push_screen(ReviewScreen(self.session, self._focus_host, area=self.area))

    def do_run_commands(self) -> None:
        """The commands as they were sent."""
        self.app.push_screen(CommandsScreen(self.session, self.follower, area=self.area))

    def do_run_failed(self) -> None:
        """Only hosts that need a person, or all."""
        self._table.failed_only = not self._table.failed_only
        self.redraw()

    def do_run_zoom(self) -> None:
        """The log alone, or with the hosts."""
        tiles = self.query_one("#tiles", Rows)
        tiles.display = not tiles.display
        self.query_one("#panes").set_class(tiles.display and len(self.follower.model.hosts) > 1, "-several")
        (tiles if tiles.display else self.query_one("#log", LogView)).focus()

    def back(self) -> bool:
        """Leave the zoomed log first. False when there is nothing to leave."""
        zoomed = not self.query_one("#tiles", Rows).display
        if zoomed:
            self.do_run_zoom()
        return zoomed

    # --- the log ---

    def _redraw_log(self, *, found: bool = True) -> None:
        if not found:
            self.session.say(f"no line with {self._pane.query!r} there", bad=True)
        self.query_one("#log", LogView).flush()
        self.refresh_bars()

    def do_log_follow(self) -> None:
        """Follow, or stay where it is."""
        (self._pane.pause if self._pane.following else self._pane.follow)()
        self._redraw_log()

    def do_log_wrap(self) -> None:
        """Wrap or cut."""
        self._pane.wrapping = not self._pane.wrapping
        self._redraw_log()

    def do_log_search(self) -> None:
        """Ask what to find."""
        self.app.push_screen(Prompt("Find in this log", value=self._pane.query), self._search)

    def _search(self, text: str | None) -> None:
        if text is not None:
            self._redraw_log(found=self._pane.search(text) or not text)

    def do_log_next(self) -> None:
        """The next match."""
        self._redraw_log(found=self._pane.search_next(backwards=False))

    def do_log_previous(self) -> None:
        """The match before."""
        self._redraw_log(found=self._pane.search_next(backwards=True))

    def do_log_step_next(self) -> None:
        """The next step's start."""
        self._pane.step_boundary(backwards=False)
        self._redraw_log()

    def do_log_step_previous(self) -> None:
        """The step's start before."""
        self._pane.step_boundary(backwards=True)
        self._redraw_log()
