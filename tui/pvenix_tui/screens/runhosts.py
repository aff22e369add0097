"""The hosts on a run's screen: a list or tiles, which of them has the keys, and which show."""

from __future__ import annotations

from typing import Final

from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.models.lines import Line
from pvenix_tui.models.run import HostRun
from pvenix_tui.models.runrows import HostRunTable
from pvenix_tui.models.tiles import grid_height, layout, tile_grid
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.widgets.tilegrid import TileGrid

TILES_WIDTH: Final = 120
TILES_HEIGHT: Final = 30
"""Cells from which on there is room for tiles."""


class RunHosts(PvenixScreen[None]):
    """The part of a run's screen that is about its hosts."""

    follower: RunFollower
    table: HostRunTable
    focus_host: str
    """The host that has the keys and whose log shows."""
    listing: bool
    """A list is wanted where there is room for tiles."""
    zoomed: bool
    """Only the log shows."""

    def turn_to(self, host: str) -> None:
        """Give the keys to a host, and show its log."""
        raise NotImplementedError

    @property
    def host_run(self) -> HostRun | None:
        """What the host with the keys has come to."""
        return self.follower.model.hosts.get(self.focus_host)

    @property
    def _tiled(self) -> bool:
        size = self.app.size
        roomy = size.width >= TILES_WIDTH and size.height >= TILES_HEIGHT
        return roomy and not self.listing and len(self.follower.model.hosts) > 1

    @property
    def hosts_widget(self) -> Widget:
        """The list or the tiles, whichever shows the hosts now."""
        return self.query_one("#panes" if self._tiled else "#tiles")

    def share_space(self) -> None:
        """Show list or tiles as there is room, and give the keys to what shows."""
        if not self.is_mounted:
            return
        hosts, size = len(self.follower.model.hosts), self.app.size
        rows, tiles, log = self.query_one("#tiles", Rows), self.query_one("#panes", TileGrid), self.query_one("#log")
        rows.styles.max_height = min(hosts + 1, size.height * 2 // 5)
        tiles.styles.height = grid_height(hosts, size.width, size.height * 2 // 5)
        on_log = self.focused is log
        if not self._tiled and not rows.display and self.table.hosts:
            rows.move_to(self._focus_index)
        rows.display = not self.zoomed and not self._tiled
        tiles.display = not self.zoomed and self._tiled
        (log if self.zoomed or on_log else self.hosts_widget).focus()
        self.call_after_refresh(self.redraw)

    def draw_tiles(self, width: int, height: int) -> list[Line]:
        """The tiles in so many cells."""
        now = self.session.clock()
        return tile_grid(self.table.hosts, self.follower.ring, width, height, focus=self.focus_host, now=now)

    def on_tile_grid_asked(self, event: TileGrid.Asked) -> None:
        """Another tile by a key that moves in lists, or by the mouse."""
        hosts = self.table.hosts
        index = self._focus_index
        grid = self.query_one("#panes", TileGrid)
        plan = layout(len(hosts), index, grid.size.width, grid.size.height)
        steps = {
            "list.down": plan.across,
            "list.up": -plan.across,
            "list.page_down": plan.shown,
            "list.page_up": -plan.shown,
            "list.top": -len(hosts),
            "list.bottom": len(hosts),
        }
        target = index + steps[event.action_id] if event.action_id in steps else plan.at(event.column, event.row)
        self._move_to(target)

    @property
    def _focus_index(self) -> int:
        return next((index for index, host in enumerate(self.table.hosts) if host.host == self.focus_host), 0)

    def _move_to(self, index: int) -> None:
        if not self.table.hosts:
            return
        index = max(0, min(index, len(self.table.hosts) - 1))
        rows = self.query_one("#tiles", Rows)
        if rows.display:
            rows.move_to(index)
        self.turn_to(self.table.hosts[index].host)

    def do_run_next(self) -> None:
        """The next host."""
        self._move_to(self._focus_index + 1)

    def do_run_previous(self) -> None:
        """The host before."""
        self._move_to(self._focus_index - 1)

    def do_run_failed(self) -> None:
        """Only hosts that need a person, or all."""
        self.zoomed = False  # the hosts are what it is about
        self.table.failed_only = not self.table.failed_only
        self.table.refresh()
        if self.table.failed_only and self.table.hosts and self.host_run not in self.table.hosts:
            self.turn_to(self.table.hosts[0].host)
        self.share_space()

    def do_run_tiles(self) -> None:
        """Tiles, or a list, where there is room for both."""
        before = self._tiled
        self.zoomed, self.listing = False, not self.listing
        self.session.memory.keep("run.list", self.listing)
        self.share_space()
        if self._tiled == before:
            wanted = "a list" if self.listing else "tiles"
            self.session.say(f"{wanted} where there is room for both; here there is room for a list")

    def do_run_zoom(self) -> None:
        """The log alone, or with the hosts."""
        self.zoomed = not self.zoomed
        self.set_focus(None)
        self.share_space()

    @override
    def back(self) -> bool:
        """Leave the zoomed log first. False when there is nothing to leave."""
        if self.zoomed:
            self.do_run_zoom()
            return True
        return False
