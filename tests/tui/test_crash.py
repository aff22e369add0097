"""What a crash of the screen says: where it happened, and no value that a frame held."""

from __future__ import annotations

import pytest

from pvenix.model.secret import MASK, Secret
from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui


async def test_a_crash_shows_its_traceback_without_the_variables_of_its_frames(
    backend: FakeBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FixedClock()
    app = PvenixApp(Session(backend, clock=clock), ticking=False)

    def crash() -> None:
        secret = Secret("hunter22-hunter22")
        headers = {"Authorization": secret.reveal()[:8]}
        raise ValueError(f"no such header in {len(headers)}: {secret.reveal()}")

    async def crashed() -> None:
        async with app.run_test() as pilot:
            await Ui(app, pilot, backend, clock).settle()  # no reading is left half-begun
            app.call_later(crash)
            await pilot.pause()

    with pytest.raises(ValueError, match="no such header"):
        await crashed()
    shown = capsys.readouterr().err
    assert f"ValueError: no such header in 1: {MASK}" in shown
    assert "in crash" in shown
    assert "hunter22" not in shown
    assert "locals" not in shown


async def test_what_fails_while_the_window_ends_goes_to_the_log_alone(
    backend: FakeBackend, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    app = PvenixApp(Session(backend, clock=FixedClock()), ticking=False)

    def crash() -> None:
        raise ValueError("a part that was never there")

    async def crashed() -> None:
        async with app.run_test() as pilot:
            await pilot.pause()
            app.exit(0)
            app.call_next(crash)

    with pytest.raises(ValueError, match="never there"):
        await crashed()
    assert "Traceback" not in capsys.readouterr().err
    assert "never there" in caplog.text
