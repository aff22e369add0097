"""From the command to the first frame, and what is said where there is nothing to draw."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from shutil import copytree

import pytest
from typing_extensions import override

from pvenix.model.errors import InvalidInput
from pvenix.model.findings import Finding
from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session
from tests.tui.conftest import OpenUi
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_inventory import FakeFleet
from tests.tui.terminal import PATIENCE_S, ROOT, on_terminal

pytestmark = [pytest.mark.tui, pytest.mark.timeout(180)]
WRONG = InvalidInput([Finding(file="inventory/hosts.yaml", line=7, column=3, code="PVX0103", what="no such role")])


class SlowBackend(FakeBackend):
    """An inventory that takes until the test lets it go."""

    go_on = threading.Event()

    @override
    def fleet(self) -> FakeFleet:
        assert self.go_on.wait(20)
        return super().fleet()


async def test_the_frame_stands_and_keys_work_while_the_inventory_is_read(tmp_path: Path) -> None:
    backend = SlowBackend(tmp_path)
    clock = FixedClock()
    app = PvenixApp(Session(backend, clock=clock), ticking=False)
    async with app.run_test(size=(80, 24)) as pilot:
        ui = Ui(app, pilot, backend, clock)
        await pilot.pause()
        ui.expect("[1 Fleet]", "reading the inventory", "? help")
        await pilot.press("r")
        ui.expect("rebuild: no host is marked or at the cursor")
        backend.go_on.set()
        await ui.settle()
        assert "+ in sync" in ui.line("dns01")


async def test_colours_that_are_chosen_later_still_reach_what_shows_and_what_is_shown_after(open_ui: OpenUi) -> None:
    async with open_ui() as ui:

        def background() -> object:
            return ui.app.screen.query_one("#bar").background_colors

        await ui.press("2")
        runs = background()
        await ui.press("1")
        fleet = background()
        ui.app.theme = "textual-light"
        await ui.settle()
        assert background() != fleet
        await ui.press("2")
        assert background() != runs


async def test_an_inventory_that_is_wrong_at_the_start_ends_the_program_with_its_findings(backend: FakeBackend) -> None:
    backend.wrong = WRONG
    session = Session(backend, clock=FixedClock())
    app = PvenixApp(session, ticking=False)
    async with asyncio.timeout(PATIENCE_S), app.run_test() as pilot:
        while app.is_running:
            await pilot.pause(0.005)
    assert session.refused is WRONG
    assert app.return_value == 1


async def test_an_inventory_that_becomes_wrong_later_is_a_line_and_the_last_good_one_stays(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui((120, 24)) as ui:
        backend.wrong = WRONG
        await ui.press("ctrl+r")
        ui.expect("x fleet: 1 problem in the fleet's files", "inventory/hosts.yaml:7:3", "tappaas-vllm")
        backend.wrong = None
        await ui.press("ctrl+r")
        ui.expect_not("problem in")


def test_a_wrong_inventory_leaves_a_clean_terminal_and_says_where(tmp_path: Path) -> None:
    copytree(ROOT / "inventory", tmp_path / "inventory")
    hosts = tmp_path / "inventory" / "hosts.yaml"
    hosts.write_text(hosts.read_text().replace("class: ci", "clas: ci", 1))
    with on_terminal("pvenix_tui.entry", "--fleet", str(tmp_path), home=tmp_path) as terminal:
        code = terminal.end()
    said = terminal.data.rpartition(b"\x1b[?1049l")[2].decode()
    assert code == 2
    assert "inventory/hosts.yaml:" in said
    assert "clas" in said
    assert "Traceback" not in said


def test_without_a_terminal_that_is_said_and_nothing_is_drawn(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pvenix_tui.entry", "--fleet", str(ROOT)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr
    assert "pvenix status" in done.stderr
    assert "\x1b" not in done.stderr
    assert "pvenix init" not in done.stderr
