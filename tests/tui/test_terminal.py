"""The application on a real terminal: first paint, keys, sizes at random, a run that is killed, hostile text everywhere."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvenix.engine.runfiles import RunStore
from pvenix.model.events import RunStarted, StepStarted
from pvenix.model.plan import PlayPlan, RunPlan, Task
from tests.tui.fake_inventory import STAMP
from tests.tui.screenbytes import wrong_in
from tests.tui.terminal import ESCAPE, PATIENCE_S, ROOT, Terminal, on_terminal

pytestmark = [pytest.mark.tui, pytest.mark.timeout(180)]
KEYS = 40
SIZES = 60
HOLDS = (
    "import sys; from pathlib import Path; from pvenix.engine.runfiles import RunDir\n"
    "with RunDir(Path(sys.argv[1])).locked():\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)
"""A process that executes a run and does nothing."""


def restored(terminal: Terminal) -> None:
    """The terminal is as it was, and nothing but the app's own was ever sent to it."""
    data = terminal.data
    assert data.rindex(b"\x1b[?1049l") > data.rindex(b"\x1b[?1049h")
    assert data.rindex(b"\x1b[?25h") > data.rindex(b"\x1b[?25l")
    assert b"Traceback" not in data
    assert wrong_in(data) == []


def test_the_first_paint_and_every_key_come_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with on_terminal("tests.tui.on_terminal", "plain", str(tmp_path), home=tmp_path) as terminal:
        terminal.until(b"Fleet")
        painted = time.monotonic() - begun
        terminal.until(b"in sync")
        terminal.quiet()
        took = []
        for number in range(KEYS):
            at = time.monotonic()
            terminal.press(b"j" if number // 5 % 2 == 0 else b"k")
            assert terminal.read(PATIENCE_S), "a key brought nothing about"
            took.append(time.monotonic() - at)
            terminal.quiet(0.02)
        terminal.press(b"q")
        assert terminal.end() == 0
        restored(terminal)
    p95 = statistics.quantiles(took, n=20)[-1]
    told = {"first paint": painted, "key p50": statistics.median(took), "key p95": p95}
    sys.stdout.write(", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in told.items()) + "\n")  # pytest -rP
    assert statistics.median(took) < 1  # what it takes at its worst is measured by bench/tui_live.py


@pytest.mark.parametrize("seed", [1, 2])
def test_a_terminal_of_any_size_that_changes_all_the_time_during_a_run_ends_well(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    sizes = [(1, 1), (2, 300), (90, 2), *((dice.randint(1, 60), dice.randint(1, 200)) for _ in range(SIZES))]
    dice.shuffle(sizes)
    with on_terminal("tests.tui.on_terminal", "playing", str(tmp_path), home=tmp_path) as terminal:
        before = termios.tcgetattr(terminal.slave)
        terminal.until(b"in sync")
        terminal.press(b"2")
        terminal.until(b"enter watches it")
        terminal.press(b"\r")
        terminal.until(b"copying path")
        for rows, columns in sizes:
            terminal.resize(rows, columns)
            terminal.press(dice.choice((b"j", b"k", b"\r", b"T", b"\t", b"G", b"g")))
            terminal.read(0.3)
        terminal.resize(24, 80)
        terminal.press(b"1")
        terminal.until(b"nix-cache01")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        restored(terminal)
        assert termios.tcgetattr(terminal.slave)[:4] == before[:4]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The process of a run of dns01 that is at work, in the fake's state directory."""
    play = PlayPlan(name="rebuild dns01", waves=(("dns01",),), tasks=(Task(verb="rebuild"),))
    run = RunStore(tmp_path / "state" / "runs").create(RunPlan(title="rebuild dns01", plays=(play,), fleet="/f"))
    run.append_event(
        RunStarted(
            run=run.run, seq=1, at=STAMP, host="", step="", title="rebuild dns01", hosts=("dns01",), steps=(), pid=1
        )
    )
    run.append_event(
        StepStarted(run=run.run, seq=2, at=STAMP, host="dns01", step="0.0.rebuild", verb="rebuild", name="")
    )
    words = [sys.executable, "-c", HOLDS, str(run.path)]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_run_whose_process_is_killed_is_told_as_interrupted_and_the_window_goes_on(
    tmp_path: Path, held: subprocess.Popen[str]
) -> None:
    with on_terminal("tests.tui.on_terminal", "plain", str(tmp_path), home=tmp_path) as terminal:
        terminal.until(b"in sync")
        terminal.press(b"2")
        terminal.until(b"enter watches it")
        terminal.press(b"\r")
        terminal.until(b"continue")  # what the run says and the list before it does not
        os.kill(held.pid, signal.SIGKILL)
        terminal.until(b"interrupted")
        terminal.press(b"1")
        terminal.until(b"docker01")
        terminal.press(b"q")
        assert terminal.end() == 0
        restored(terminal)


def test_every_screen_of_a_hostile_fleet_sends_nothing_but_the_apps_own(tmp_path: Path) -> None:
    log = tmp_path / "state" / "audit.jsonl"
    log.parent.mkdir(parents=True)
    evil = "\x1b]52;c;UFdORUQ=\x07\x1b[2J\x9b2J\u202e[@click=app.exit]PWN[/]"
    record = {
        "at": evil,
        "operator": evil,
        "host": evil,
        "verb": evil,
        "outcome": evil,
        "about": evil,
        "step": "",
        "run": evil,
    }
    log.write_text(json.dumps(record) + "\n")
    with on_terminal("tests.tui.on_terminal", "hostile", str(tmp_path), home=tmp_path) as terminal:
        terminal.until(b"web<U+202E>")
        for keys in (b"5", b"\r", b"Y", ESCAPE, b"z", ESCAPE, b"3", b"\r", b"?", ESCAPE, b"2", b"\r", b"G", b"@", ESCAPE,
                     b"1", b"G", b"\r", b"]", b"]", b"]", ESCAPE, b"0", ESCAPE, b":", ESCAPE, b"H", b"\r"):  # fmt: skip
            terminal.press(keys)
            terminal.quiet(0.15)
        assert terminal.quit() == 0
        restored(terminal)
