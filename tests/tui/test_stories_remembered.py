"""What a window leaves behind while it is still open, and when it ends without a word."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from pvenix_tui.app import PvenixApp
from pvenix_tui.remembered.memory import NAME, Memory
from pvenix_tui.session import Session
from tests.tui.conftest import OpenUi
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.terminal import PATIENCE_S, on_terminal

pytestmark = pytest.mark.tui


def remembered(folder: Path) -> Memory:
    memory = Memory()
    memory.open(folder)
    return memory


async def moment_later(ui: Ui) -> None:
    """What the application does by itself every two seconds."""
    ui.app.keep_memory()
    await ui.settle()


async def test_marks_filter_and_order_are_on_the_disk_while_the_window_is_open(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.go_to("dns01")
        await ui.do("fleet.mark", "fleet.filter")
        await ui.type("role:dns")
        await ui.press("enter")
        await moment_later(ui)
        memory = remembered(backend.state_dir)
        assert memory.names("fleet.marks") == ["dns01"]
        assert memory.text("fleet.filter") == "role:dns"


async def test_nothing_is_written_while_nothing_was_changed(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await moment_later(ui)
        (backend.state_dir / NAME).unlink()
        await ui.press("j", "k")
        await moment_later(ui)
        assert not (backend.state_dir / NAME).exists()


async def test_a_run_in_front_is_the_place_to_come_back_to_also_below_a_dialog(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    run = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
    async with open_ui() as ui:
        await ui.do("app.runs")
        await ui.press("enter", "?")
        await moment_later(ui)
        assert remembered(backend.state_dir).text("place.run") == str(run.run)


async def test_reading_anew_shows_no_place_of_before(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.runs")
        await moment_later(ui)
        await ui.do("app.fleet", "app.refresh")
        assert ui.app.current_mode == "fleet"


async def test_two_windows_keep_what_each_of_them_left(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        other = remembered(backend.state_dir)
        other.keep("journal.filter", "who:ana")
        other.save()
        await ui.do("fleet.mark")
        await ui.press("q")
    memory = remembered(backend.state_dir)
    assert memory.names("fleet.marks")
    assert memory.text("journal.filter") == "who:ana"


async def test_a_crash_leaves_the_marks_and_does_not_come_back_to_where_it_happened(
    backend: FakeBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FixedClock()
    app = PvenixApp(Session(backend, clock=clock), ticking=False)

    def crash() -> None:
        raise RuntimeError("a defect")

    async def crashed() -> None:
        async with app.run_test() as pilot:
            ui = Ui(app, pilot, backend, clock)
            await ui.settle()
            await ui.press("space", "2")
            app.keep_place()
            app.call_later(crash)
            await pilot.pause()

    with pytest.raises(RuntimeError, match="a defect"):
        await crashed()
    assert "a defect" in capsys.readouterr().err
    memory = remembered(backend.state_dir)
    assert memory.names("fleet.marks")
    assert memory.text("place.area") == ""


def test_a_window_that_is_killed_has_left_what_was_set_some_seconds_before(tmp_path: Path) -> None:
    folder = FakeBackend(tmp_path).state_dir
    with on_terminal("tests.tui.on_terminal", "plain", str(tmp_path), home=tmp_path) as terminal:
        terminal.until(b"in sync")
        terminal.press(b"*")
        deadline = time.monotonic() + PATIENCE_S
        while not remembered(folder).names("fleet.marks"):
            assert time.monotonic() < deadline, "the marks were not kept"
            terminal.read(0.05)
        terminal.process.kill()
        assert terminal.end() == -signal.SIGKILL


def test_a_window_that_is_told_to_end_leaves_what_was_set_just_before(tmp_path: Path) -> None:
    folder = FakeBackend(tmp_path).state_dir
    with on_terminal("tests.tui.on_terminal", "plain", str(tmp_path), home=tmp_path) as terminal:
        terminal.until(b"in sync")
        terminal.press(b"*")
        terminal.until(b"marked")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
    assert remembered(folder).names("fleet.marks")
