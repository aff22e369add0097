"""A run: every host with its step and last line, live tiles where there is room, the log of one host, and what may be asked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix_tui.actions import Context
from pvenix_tui.models.eta import Left, left
from pvenix_tui.models.lines import Tone, clip, text_line, wrap
from pvenix_tui.models.logpane import LogPane, Times
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.runrows import HostRunTable, log_title, run_notes, run_summary, state_note
from pvenix_tui.models.states import epoch
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.approving import Approver
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.runasks import RunAsks
from pvenix_tui.screens.runhosts import TILES_WIDTH, RunHosts
from pvenix_tui.screens.runlog import RunLog
from pvenix_tui.session import Session
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.widgets.tilegrid import TileGrid
from pvenix_tui.working import in_background

if TYPE_CHECKING:
    from pvenix.engine.durations import Durations

OTHERS: Final = 4
"""Ticks to one drawing of everything but the focused log: five times a second."""
RESTING: Final = 20
"""Ticks to one look at a run that is not at work."""
NOTE_LINES: Final = 5
"""What is said of a host in full takes these lines at least, and at most half of what is left below the hosts."""


class RunScreen(RunAsks, RunHosts, RunLog):
    """Follows the files of a run, live or finished; what it wants of the run it asks by request."""

    scope = "run"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

    def __init__(self, session: Session, run: RunDir, *, area: str, started: bool = False) -> None:
        super().__init__(session, area=area)
        self.run = run
        self.follower = RunFollower(run)
        if started:
            self.follower.expect()
        self.table = HostRunTable(self.follower.model, self.follower.ring, session.clock)
        self.pane = LogPane(LineRing(1), wrapping=bool(session.memory.number("log.wrap")), times=self._remembered())
        self.focus_host = self.table.hosts[0].host if self.table.hosts else ""
        self.listing = bool(session.memory.number("run.list"))
        self.zoomed = False
        self._second = -1
        self._turn = 0
        self._stale = False
        """Something changed that only every OTHERS ticks is drawn."""
        self._quiet = 0
        """Looks at the files since the last one that found something."""
        self._read = False
        """The events so far were read."""
        self._durations: Durations | None = None
        self.approver = Approver(session, run, lambda hosts: self.retry(hosts, hosts))

    def _remembered(self) -> Times:
        kept = self.session.memory.text("log.times")
        return Times(kept) if kept in set(Times) else Times.OFF

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        yield Rows(self.table, id="tiles")
        yield TileGrid(self.draw_tiles, id="panes")
        yield Bar(id="logtitle")
        yield LogView(self.pane, id="log")

    @override
    def on_mount(self) -> None:
        self.query_one("#status", Bar).show(text_line(" reading the run", Tone.DIM), ())
        in_background(self, self._open, group="open")

    async def _open(self) -> None:
        """Read the events so far, in a thread: there may be tens of thousands, at 12 us each."""

        async def work() -> None:
            self.follower.take(*await asyncio.to_thread(self.run.events))

        await self.session.guarded("run", work)
        self._read = True
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.follower.poll(self.focus_host)
        self.table.refresh()
        first = self.table.hosts[0].host if self.table.hosts else ""
        self.query_one("#tiles", Rows).begin_at(first)
        self.turn_to(first)
        self.share_space()
        self.tick()
        self.session.ticker.add(self)
        in_background(self, self._read_history, group="durations")

    async def _read_history(self) -> None:
        from pvenix.engine.durations import History

        async def work() -> None:
            self._durations = await asyncio.to_thread(History().read, self.session.backend.runs)

        await self.session.guarded("durations", work)
        if self.is_mounted:
            self.redraw()

    def on_resize(self) -> None:
        """Share the space anew."""
        self.share_space()

    def on_unmount(self) -> None:
        """Stop following; the run itself goes on."""
        self.session.ticker.remove(self)
        self.app.call_later(gc.collect, 1)

    # --- the ticker's view ---

    def ticking(self) -> bool:
        """True while it is in front."""
        return self.is_current

    @override
    def tick(self) -> None:
        """Read the run's files and draw what changed: the focused log at once, the rest five times a second."""
        if not self._read:
            return
        self._turn += 1
        if self._quiet > OTHERS and self._turn % RESTING and self.follower.state not in ("running", "starting"):
            return
        was_alive = self.follower.alive
        changed = self.follower.poll(self.focus_host)
        self._quiet = 0 if changed else self._quiet + 1
        self._stale = changed or self._stale
        if was_alive and not self.follower.alive:
            self._ended()
        self.query_one("#log", LogView).flush()
        self._show_log_title()
        second = int(self.session.clock())
        if (self._stale and self._turn % OTHERS == 0) or self.follower.told or second != self._second:
            self._stale, self._second = False, second
            self.redraw()

    def _ended(self) -> None:
        self.session.outdated()
        self.approver.ask(self.app)
        self.app.call_later(gc.collect, 1)

    @override
    def redraw(self) -> None:
        self.table.refresh()
        if self.is_mounted and self.query_one("#tiles").display:
            self.query_one("#tiles", Rows).reload()
        if self.is_mounted:
            self.query_one("#panes", TileGrid).flush()
        self.refresh_bars()

    @override
    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows.display and event.rows.key:
            self.turn_to(event.rows.key)

    @override
    def turn_to(self, host: str) -> None:
        """Give the keys to a host, and show its log."""
        changed = host != self.focus_host or not self.pane.lines.end
        self.focus_host = host
        if not self.is_mounted or not host:
            return
        if changed:
            tail = self.follower.tail(host)
            tail.poll()
            self.pane.show(tail)
        run = self.host_run
        self.pane.began = epoch(run.first_at) if run and run.first_at else None
        self.query_one("#log", LogView).flush()
        self.query_one("#panes", TileGrid).flush()
        self.refresh_bars()

    # --- bars ---

    def _left(self) -> Left | None:
        if self._durations is None or self.follower.state != "running":
            return None
        return left(self.follower.model, self._durations, self.session.clock())

    @override
    def show_bars(self) -> None:
        if not self._read:
            return
        width = max(1, self.size.width)
        name = "" if self.where() else self.run.run.rpartition("-")[2]
        summary = run_summary(self.follower, self.session.clock(), width, self._left(), run=name)
        self.query_one("#status", Bar).show(*summary)
        self._show_log_title()

    def _show_log_title(self) -> None:
        width = max(1, self.size.width)
        told = [*state_note(self.follower.state if self._read else ""), *run_notes(self.follower.model, self.host_run)]
        notes = [piece for note in told for piece in wrap(note, width, indent=1)]
        older = self.follower.tail(self.focus_host).before if self.focus_host else 0
        title = self.query_one("#logtitle", Bar)
        most = max(NOTE_LINES, (title.size.height + self.query_one("#log", LogView).size.height) // 2)
        if len(notes) > most:
            notes[most - 1] = clip(
                (*notes[most - 1], (" " * width, Tone.DIM)), width
            )  # the ellipsis says that it goes on
        title.show(log_title(self.host_run, self.pane, width, older=older), *notes[:most])

    @property
    @override
    def run_id(self) -> str:
        return self.run.run

    @override
    def where(self) -> str:
        return self.run.run if self.size.width >= TILES_WIDTH else ""

    @override
    def context(self) -> Context:
        host = self.host_run
        model = self.follower.model
        live = self.follower.state == "running"
        return Context(
            scope=self.scope,
            hosts=(host.host,) if host else (),
            run=self.run.run,
            run_state=self.follower.state if self._read else "",
            run_paused=model.paused,
            gates=sum(1 for one in model.hosts.values() if one.gate),
            approvals=sum(1 for one in model.hosts.values() if one.asks),
            host_retry=host.retry_reason(live=live) if host else "no host is at the cursor",
            reasons={"run.cancel_host": f"{host.host} is {host.state}"} if host and host.ended else {},
            retries=sum(1 for one in model.hosts.values() if not one.retry_reason(live=live)),
        )

    def do_run_undo(self) -> None:
        """Plan what takes the run back."""
        from pvenix_tui.screens.undoing import undo_run  # which opens runs itself

        undo_run(self, self.run.run)
