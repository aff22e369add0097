"""The application: five areas, what every screen can do, and the readings that the screens share."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import pkgutil
import signal
import traceback
from functools import partial
from typing import ClassVar, Final

from rich.text import Text
from textual.binding import BindingType
from textual.driver import Driver
from typing_extensions import override

import pvenix_tui
from pvenix.adapters.text import sanitise
from pvenix.model.errors import PvenixError
from pvenix_tui import glyphs
from pvenix_tui.actions.keymap import remap, textual_keymap
from pvenix_tui.frame import Frame
from pvenix_tui.models.held import HeldKey
from pvenix_tui.notices import Notices
from pvenix_tui.outside import run_outside
from pvenix_tui.remembered.place import forget_place, return_to_place
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.fleet import FleetScreen
from pvenix_tui.screens.themes import kept_by, theme_menu
from pvenix_tui.session import Session
from pvenix_tui.terminal import TerminalDriver
from pvenix_tui.themes import ThemeName, make_theme
from pvenix_tui.ticker import RATE_HZ
from pvenix_tui.widgets.scrollbar import choose_scrollbar
from pvenix_tui.working import in_background

_log = logging.getLogger(__name__)
READ_EVERY_S: Final = 30.0
CLOSE_S: Final = 2.0
RUNS_EVERY_S: Final = 5.0
KEEP_EVERY_S: Final = 2.0
"""Seconds of what a person set that are lost when the program gets no chance to end."""
REST_AFTER_S: Final = 5.0
"""Seconds after which the modules of all screens are loaded: an upgrade under an open window must not mix two versions."""
ENDS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""Signals that end the program; as keys the last two never come, for the terminal is raw."""
AREA_SCREENS: Final = {
    "runs": "RunsScreen",
    "reviews": "ReviewsScreen",
    "playbooks": "PlaybooksScreen",
    "journal": "JournalScreen",
}
"""The class of each area's screen, in the module of the area's name: loaded when a person first goes there."""


def load_all() -> None:
    """Load every module of the program that was not needed so far."""
    for module in pkgutil.walk_packages(pvenix_tui.__path__, "pvenix_tui."):
        importlib.import_module(module.name)


def _area_screen(area: str, session: Session) -> PvenixScreen[None]:
    module = importlib.import_module(f"pvenix_tui.screens.{area}")
    screen: PvenixScreen[None] = getattr(module, AREA_SCREENS[area])(session)
    return screen


class PvenixApp(Frame):
    """pvenix at a terminal."""

    TITLE = "pvenix"
    DEFAULT_MODE = "fleet"
    CSS_PATH = "styles/app.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (160, "-xwide")]  # noqa: RUF012 as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall"), (46, "-xtall")]  # noqa: RUF012 as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = bindings("app", "frame")

    def __init__(self, session: Session, *, ticking: bool = True) -> None:
        preferences = session.preferences
        plain = preferences.theme is ThemeName.TERMINAL or bool(os.environ.get("NO_COLOR"))
        self._colours = ThemeName.TERMINAL if plain else preferences.theme
        super().__init__(ansi_color=True if plain else None)
        if self.no_color:
            os.environ["NO_COLOR"] = "1"  # Textual takes it away; a program that gets the terminal must see it
        choose_scrollbar()
        remap(preferences.keys)
        self.set_keymap(textual_keymap(preferences.keys))
        self.session = session
        self._held = HeldKey()
        self._notices = Notices(session)
        self.session.said_something = self._show_said
        self.session.outdated = self.read_everything
        self.session.run_outside = partial(run_outside, self)
        theme = make_theme(self._colours)
        self.register_theme(theme)
        self.theme = theme.name  # before it runs: afterwards every style would be made twice
        self._first_colours = self.get_css_variables()
        self._recoloured = False
        self.stylesheet.set_variables(self._first_colours)
        self._ticking = ticking
        self._changed = False
        self.add_mode("fleet", lambda: FleetScreen(session))
        for area in AREA_SCREENS:
            self.add_mode(area, partial(_area_screen, area, session))

    @override
    def get_theme_variable_defaults(self) -> dict[str, str]:
        return make_theme(self._colours).variables

    @override
    def get_css_variables(self) -> dict[str, str]:
        return super().get_css_variables() | {"box": glyphs.box()}

    @override
    def refresh_css(self, animate: bool = True) -> None:
        """As Textual's own, but only once a colour has changed.

        Textual 8.2 calls it three times before the first paint and whenever an area is first shown, and each time reads
        every rule anew, which takes as long as drawing the screen.
        """
        self._recoloured = self._recoloured or self.get_css_variables() != self._first_colours
        if self._recoloured:
            super().refresh_css(animate)

    def on_load(self) -> None:
        """From here on, before anything is done to the terminal, whatever signal ends the program restores it."""
        self._running_in = asyncio.get_running_loop()
        for number in ENDS if self._ticking else ():
            signal.signal(number, self._end)  # not the loop's own: it may be waiting for the terminal

    def on_mount(self) -> None:
        """Show the frame at once; the inventory and everything remote come after the first paint."""
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))  # others have drawn meanwhile
        self.session.ticker.add(self)
        self.call_after_refresh(self._after_first_paint)

    @override
    def get_driver_class(self) -> type[Driver]:
        return TerminalDriver

    @override
    def choose_theme(self, name: str = "") -> None:
        if self._colours is ThemeName.TERMINAL:
            why = "NO_COLOR is set" if self.no_color else "the terminal's own colours stay until the end"
            self.session.refuse(f"theme: {why}; another one is for the next start")
        elif name:
            self._draw_in(ThemeName(name))
        else:
            self.push_screen(theme_menu(self._colours), lambda chosen: self.choose_theme(chosen) if chosen else None)

    def _draw_in(self, name: ThemeName) -> None:
        self._colours = name
        theme = make_theme(name)
        self.register_theme(theme)
        self.theme = theme.name
        self.session.say(f"theme {name.value} until the end; {kept_by(name)}")

    def _end(self, number: int, _: object) -> None:
        """A signal to end: as ordered as it can be done without a terminal that may be gone."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.end_soon()
        with contextlib.suppress(RuntimeError):  # it has ended
            self._running_in.call_soon_threadsafe(self.call_later, self.exit, 128 + number)

    @override
    def read_area(self, area: str) -> None:
        if area in ("reviews", "runs"):
            self._start_reading(area)

    @override
    def _fatal_error(self) -> None:
        """As Textual's own, but without the variables of each frame: they may hold what a request carried.

        The next session does not begin where this one failed. What a screen misses that was still being put together when the
        window was told to end goes to the log alone.
        """
        if self._exit:
            _log.warning("while the window ended", exc_info=True)
            return
        self.returned = False
        forget_place(self.session.memory)
        self.bell()
        self.panic(Text(sanitise(traceback.format_exc())))

    async def on_unmount(self) -> None:
        """Keep what is remembered, and end the connections; a far side that does not answer is not waited for."""
        self.session.memory.save()
        with contextlib.suppress(TimeoutError, PvenixError):
            async with asyncio.timeout(CLOSE_S):
                await self.session.backend.close()

    def _after_first_paint(self) -> None:
        self.read_everything()
        if self._ticking:
            self.set_interval(1 / RATE_HZ, self.session.ticker.beat)
            self.set_interval(READ_EVERY_S, self._read_again)
            self.set_interval(RUNS_EVERY_S, self._read_runs)
            self.set_interval(KEEP_EVERY_S, self.keep_memory)
            self.set_timer(REST_AFTER_S, self._load_rest)

    def _load_rest(self) -> None:
        in_background(self, partial(asyncio.to_thread, load_all), group="rest")

    def keep_memory(self) -> None:
        """Write what a person has set since the last time, in a thread: no key waits for the disk."""
        self.keep_place()
        if self.session.memory.changed:
            in_background(self, self._save_memory, group="memory")

    async def _save_memory(self) -> None:
        await asyncio.to_thread(self.session.memory.save)

    # --- readings ---

    def ticking(self) -> bool:
        """True when a reading came in that no screen has drawn, or something said has to go."""
        return self.session.forget_said() or self._changed

    def tick(self) -> None:
        """Let the screen in front draw the readings."""
        self._changed = False
        if isinstance(self.screen, PvenixScreen):
            self.screen.redraw()

    def _show_said(self) -> None:
        if isinstance(self.screen, PvenixScreen):
            self.screen.refresh_bars()

    def _mark_changed(self) -> None:
        self._changed = True

    @override
    def read_everything(self) -> None:
        """Read the inventory, then hosts, revision, runs and reviews, all at once."""
        in_background(self, self._read_everything, group="fleet")

    async def _read_everything(self) -> None:
        await self.session.read_fleet()
        if self.session.refused is not None:
            self.exit(1)
            return
        self.tick()
        if not self.returned:
            await return_to_place(self, self.session)
            self.returned = True
        for group in ("status", "own", "history", "runs", "reviews"):
            self._start_reading(group)

    def _read_again(self) -> None:
        if isinstance(self.screen, FleetScreen):
            self._start_reading("status")
            self._start_reading("history")
        elif isinstance(self.screen, PvenixScreen) and self.screen.scope == "reviews":
            self._start_reading("reviews")
        elif isinstance(self.screen, PvenixScreen) and self.screen.scope == "review":
            self.screen.reread()
        elif isinstance(self.screen, PvenixScreen):
            self.screen.read_again()

    def _read_runs(self) -> None:
        if not isinstance(self.screen, PvenixScreen) or self.screen.scope != "run":
            self._start_reading("runs")

    def _start_reading(self, group: str) -> None:
        in_background(self, partial(self._read, group), group=group)

    async def _read(self, group: str) -> None:
        match group:
            case "status":
                await self.session.read_status(tuple(self.session.fleet.hosts), self._mark_changed)
            case "own":
                await self.session.read_own()
            case "history":
                await self.session.read_history()
            case "runs":
                await self.session.read_runs()
                self._notices.tell(self)
            case _:
                await self.session.read_reviews()
        self._mark_changed()
