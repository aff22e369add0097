"""Whole frames: a change of layout has to be looked at. Renew: --snapshot-update; are they stable: make snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import pytest
from textual.pilot import Pilot

from pvenix_tui import glyphs
from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.scenes import SCENES

pytestmark = pytest.mark.tui
SMALL, LARGE = (80, 24), (120, 36)
MOST: Final = 40
"""Pictures that somebody can still be expected to look at."""


class Mode(StrEnum):
    """What the terminal can draw."""

    DEFAULT = "default"
    ASCII = "ascii"
    MONO = "mono"


FRAMES: Final = (
    *((name, SMALL, Mode.DEFAULT) for name in SCENES),
    *((name, LARGE, Mode.DEFAULT) for name in ("fleet", "host", "rollback", "run", "runs", "review", "journal", "playbooks")),
    *((name, SMALL, Mode.ASCII) for name in ("fleet", "verbs", "run", "review", "journal")),
    *((name, LARGE, Mode.ASCII) for name in ("fleet", "run")),
    *((name, SMALL, Mode.MONO) for name in ("fleet", "retire", "run", "review")),
    ("fleet", LARGE, Mode.MONO),
)  # fmt: skip


@pytest.fixture
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mode]:
    """The terminal is one of this mode as long as the test runs."""
    found: Mode = request.param
    if found is Mode.MONO:
        monkeypatch.setenv("NO_COLOR", "1")
    glyphs.use_ascii(found is Mode.ASCII)
    yield found
    glyphs.use_ascii(False)


@pytest.mark.parametrize(
    ("name", "size", "mode"),
    [pytest.param(*frame, id=f"{frame[0]}-{frame[1][0]}x{frame[1][1]}-{frame[2]}") for frame in FRAMES],
    indirect=["mode"],
)
def test_the_screen_looks_as_it_did_when_somebody_looked(
    name: str, size: tuple[int, int], mode: Mode, backend: FakeBackend, snap_compare: Any
) -> None:
    clock = FixedClock()
    app = PvenixApp(Session(backend, clock=clock), ticking=False)

    async def story(pilot: Pilot[int]) -> None:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        await SCENES[name](ui)
        app.session.said = None
        await ui.tick()
        if mode is Mode.ASCII:
            assert ui.text().isascii(), ui.text()

    try:
        assert snap_compare(app, terminal_size=size, run_before=story)
    finally:
        backend.live.close()


def test_there_are_no_more_pictures_than_somebody_looks_at() -> None:
    assert len(FRAMES) <= MOST
    assert len(set(FRAMES)) == len(FRAMES)
