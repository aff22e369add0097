"""Every key of every screen: it does something that shows, or says why not; drawn in ASCII alone, and with nothing to be changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from pvenix.model.plan import RunPlan
from pvenix_tui import glyphs
from pvenix_tui.actions import Action
from pvenix_tui.frame import actions_of
from pvenix_tui.prefs import Preferences
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.widgets.rows import Rows
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend, fake_review
from tests.tui.fake_inventory import fake_host
from tests.tui.places import HOST, PLACES

pytestmark = [pytest.mark.tui, pytest.mark.timeout(180)]
ELSEWHERE: Final = frozenset({"app.quit", "app.suspend", "app.refresh", "app.back"})
"""Keys that leave the program or whose effect is a reading; stories of their own press them."""
MOVES: Final = ("list.down", "list.up", "list.bottom", "list.top", "list.page_down", "list.page_up")
"""In an order in which each has somewhere to go, where there is more than one row."""
READS: Final = frozenset({
    "close", "place", "drift", "overwritten", "hardware", "cloud_init", "units", "unit", "journal", "journal of", "vm",
})  # fmt: skip
"""What a backend may be asked for that changes nothing."""
CHANGING: Final = frozenset({"newhost", "rollback", "plan"})
"""Places that nobody comes to who may only look."""
MOST_EVERYWHERE: Final = 8
"""Keys that every screen has: a walk that pressed no more has not seen the screen's own."""


class Walk:
    """Presses every key of one place, each on the place as it was before."""

    def __init__(self, open_ui: OpenUi, root: Path, place: str, *, read_only: bool = False) -> None:
        self._open, self._root, self._read_only = open_ui, root, read_only
        self.scope, self._scene = PLACES[place]
        self.dead: list[str] = []
        """Keys that did nothing and said nothing."""
        self.seen = 0
        self.asked: list[tuple[object, ...]] = []
        """What the backends were asked for, and the runs."""

    async def go(self) -> None:
        """Press them all; a key that leaves the place for good is followed by a new window on a new fleet."""
        done: set[str] = set()
        for number in count():
            backend = FakeBackend(self._root / str(number))
            backend.fleet_now.hosts["café"] = fake_host("café", "grüße", "базис")
            backend.reviews_now[HOST] = replace(fake_review(), subject="naïve “subject” → 日本")
            backend.read_only = self._read_only
            async with self._open(backend=backend, preferences=Preferences(read_only=self._read_only)) as ui:
                await self._scene(ui)
                ui.expect_screen(self.scope)
                through = await self._press_all(ui, done)
                ui.unread.clear()
            self.asked += backend.calls
            self.asked += [(request.kind,) for run in backend.runs.newest(limit=9) for request in run.take_requests()]
            if through:
                return

    async def _press_all(self, ui: Ui, done: set[str]) -> bool:
        front = ui.app.screen
        assert isinstance(front, PvenixScreen)
        for action in in_order(front):
            if action.id in done:
                continue
            done.add(action.id)
            self.seen += 1
            await self._press(ui, action)
            if not await back(ui, front):
                return False
        return True

    async def _press(self, ui: Ui, action: Action) -> None:
        ui.later(10)  # what was said before leaves
        ui.app.session.said = None
        await ui.tick()
        before, told = frame(ui), len(ui.unread)
        await ui.do(action.id)
        text = ui.text()
        assert ui.app.is_running, f"{action.id} ended the program"
        assert "(a bug" not in text, f"{action.id}:\n{text}"
        if glyphs.is_ascii():
            assert text.isascii(), f"{action.id}:\n{text}"
        if frame(ui) == before and len(ui.unread) == told:
            self.dead.append(f"{action.key_label} {action.label}")


def in_order(screen: PvenixScreen[object]) -> Iterator[Action]:
    """The keys of a screen that can be expected to do something."""
    found = {action.id: action for action in actions_of(screen) if action.key and action.id not in ELSEWHERE}
    rows = [rows for rows in screen.query(Rows) if rows is screen.focused]
    moves = [found.pop(name) for name in MOVES]
    if rows and rows[0].has_cursor and rows[0].source.count() > 1:
        yield from moves
    yield from (action for action in found.values() if action.id != f"app.{screen.area}")


def is_dry(call: tuple[object, ...]) -> bool:
    """Whether this is the start of a dry run."""
    return call[0] == "start" and isinstance(call[1], RunPlan) and call[1].check


async def back(ui: Ui, front: PvenixScreen[object]) -> bool:
    """Come back to a screen as a person does; False where it is gone."""
    home = front.area
    for _ in range(6):
        if ui.app.screen is front:
            return True
        ui.later()
        await ui.do("app.back" if ui.app.current_mode == home else f"app.{home}")
    return False


def frame(ui: Ui) -> list[str]:
    """What shows, with its colours."""
    return [str(list(strip)) for strip in ui.app.screen._compositor.render_strips()]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ascii_only", [False, True], ids=["", "ascii"])
async def test_every_key_of_every_screen_does_what_shows_or_says_why_not(
    open_ui: OpenUi, tmp_path: Path, place: str, ascii_only: bool
) -> None:
    walk = Walk(open_ui, tmp_path, place)
    glyphs.use_ascii(ascii_only)
    try:
        await walk.go()
    finally:
        glyphs.use_ascii(False)
    assert walk.dead == []
    assert walk.seen > MOST_EVERYWHERE


@pytest.mark.parametrize("place", [name for name in PLACES if name not in CHANGING])
async def test_no_key_of_any_screen_changes_anything_where_a_person_may_only_look(
    open_ui: OpenUi, tmp_path: Path, place: str
) -> None:
    walk = Walk(open_ui, tmp_path, place, read_only=True)
    await walk.go()
    assert [call for call in walk.asked if call[0] not in READS and not is_dry(call)] == []
    assert walk.dead == []
