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
