"""What guests, Git and the inventory may hold, brought to a real terminal: nothing of it acts there."""

from __future__ import annotations

import asyncio
import re
import signal
import termios
from dataclasses import replace
from pathlib import Path

import pytest

from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend, fake_review
from tests.tui.fake_inventory import fake_host
from tests.tui.terminal import PATIENCE_S, on_terminal

pytestmark = [pytest.mark.tui, pytest.mark.timeout(180)]
ATTACK = "\x1b]52;c;UFdORUQ=\x07\x1b]0;PWNED\x07\x1b[2J\x1b[31m\x9d52;c;UFdORUQ=\x9c\x9b2J\u202e[@click=app.exit]PWN[/]"


def hostile(backend: FakeBackend) -> None:
    """Put the attack everywhere that foreign text comes from."""
    name = f"web{ATTACK}"
    backend.fleet_now.hosts[name] = fake_host(name, f"group{ATTACK}", f"role{ATTACK}")
    backend.unreachable = ""
    file = replace(fake_review().files[0], path=f"nix/{ATTACK}.nix", unified=f"+{ATTACK}")
    backend.reviews_now = {
        "evil": replace(fake_review("evil"), branch=f"registration/{ATTACK}", subject=ATTACK, author=ATTACK,
                        files=(file,), comments=(ATTACK,)),
    }  # fmt: skip


async def test_markup_in_names_branches_and_logs_is_shown_and_never_run(open_ui: OpenUi, backend: FakeBackend) -> None:
    hostile(backend)
    async with open_ui((120, 36)) as ui:
        ui.expect("web<U+202E>[@click=ap")
        for keys in (["G", "enter"], ["escape", "0"], ["escape", "3"], ["enter"], ["X"], ["escape"], ["question_mark"]):
            await ui.press(*keys)
            assert "\x1b" not in ui.text()
        await ui.press("escape", "1", "g", "r")
        await ui.confirm()
        backend.output(ui.run(), "tappaas-cicd", f"{ATTACK}\n")
        backend.step(ui.run(), "tappaas-cicd", "rebuild", "failed", summary=ATTACK, hint=ATTACK)
        await ui.tick()
        ui.expect("[@click=app.exit]PWN[/]")
        await ui.pilot.click("#log", offset=(12, 1))
        assert ui.app.is_running


@pytest.mark.parametrize("end", ["key", "sigterm", "exception"])
def test_the_terminal_is_as_before_however_the_program_ends(tmp_path: Path, end: str) -> None:
    word = "crash" if end == "exception" else "plain"
    with on_terminal("tests.tui.on_terminal", word, str(tmp_path), home=tmp_path) as terminal:
        before = termios.tcgetattr(terminal.slave)
        terminal.until(b"tappaas-cicd")
        if end == "sigterm":
            terminal.quiet()
            terminal.process.send_signal(signal.SIGTERM)
        else:
            terminal.press(b"q" if end == "key" else b"H")
        code, data = terminal.end(), terminal.data
        after = termios.tcgetattr(terminal.slave)
    assert b"\x1b[?1049h" in data
    assert data.rindex(b"\x1b[?1049l") > data.rindex(b"\x1b[?1049h")
    assert data.rindex(b"\x1b[?25h") > data.rindex(b"\x1b[?25l")
    assert after[:4] == before[:4]
    assert code == {"key": 0, "sigterm": 128 + signal.SIGTERM, "exception": 1}[end]
    assert bool(re.search(rb"Traceback|RuntimeError", data)) == (end == "exception")


async def test_a_problem_with_markup_in_it_does_not_end_the_app(backend: FakeBackend) -> None:
    backend.unreachable = f"host[/] {ATTACK}"
    app = PvenixApp(Session(backend), ticking=False)
    async with asyncio.timeout(PATIENCE_S):
        async with app.run_test() as pilot:
            await app.workers.wait_for_complete()
            app.session.say(f"[/]{ATTACK}", bad=True)
            await pilot.pause()
            assert app.is_running
