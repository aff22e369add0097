"""The application on the fake backend, at 80x24, with a clock that stands still and a ticker that the test turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pvenix_tui.app import PvenixApp
from pvenix_tui.prefs import Preferences
from pvenix_tui.session import Session
from tests.tui.driver import MODE, FixedClock, Ui
from tests.tui.fake_backend import FakeBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OpenUi = Callable[..., AbstractAsyncContextManager[Ui]]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FPS", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()


@pytest.fixture
def backend(tmp_path: Path) -> FakeBackend:
    return FakeBackend(tmp_path)


@pytest.fixture
def open_ui(backend: FakeBackend) -> OpenUi:
    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = (80, 24), *, backend: FakeBackend = backend, preferences: Preferences | None = None
    ) -> AsyncIterator[Ui]:
        clock = FixedClock()
        app = PvenixApp(Session(backend, clock=clock, preferences=preferences), ticking=False)
        async with app.run_test(size=size, headless=MODE != "visible") as pilot:
            ui = Ui(app, pilot, backend, clock)
            await ui.settle()
            try:
                yield ui
            except AssertionError as error:
                error.add_note(f"the screen:\n{ui.text()}")
                raise
            finally:
                backend.live.close()
            assert not ui.unread, f"the story did not look at {ui.unread}\n{ui.text()}"

    return opened
