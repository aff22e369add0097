"""The frame on a real terminal: other programs on it, ctrl+z, signals, a terminal that goes away, no colours."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from tests.tui.fake_backend import FakeBackend
from tests.tui.terminal import ESCAPE, PATIENCE_S, ROOT, Terminal, on_terminal

pytestmark = [pytest.mark.tui, pytest.mark.timeout(180)]
ALT_ON, ALT_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
READ = ("o unreachable 1", "+ in sync 2", "1 review open", "tappaas-cicd  + in sync")
"""What the last of each kind of readings shows."""
COLOURS = re.compile(rb"\x1b\[[0-9;]*(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|[34]8;[25];[0-9;]*)m")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "LC_ALL", "XDG_CONFIG_HOME", "PVENIX_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def app_on_terminal(folder: Path, *words: str) -> Iterator[Terminal]:
    """The application, once everything that it reads at the start shows: what is compared later must not grow."""
    with on_terminal("tests.tui.on_outside", str(folder), *words, home=folder) as terminal:
        comes(terminal, lambda screen: all(word in "\n".join(screen) for word in READ))
        yield terminal


def script(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_program_gets_the_terminal_as_it_was_and_the_readings_go_on_behind_it(tmp_path: Path) -> None:
    mode = "$(stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e -icanon)"
    program = script(tmp_path, f"echo program in {mode} mode; read line; echo got $line; exit 3")
    with app_on_terminal(tmp_path, str(program)) as terminal:
        seen, before = whole_screen(terminal), len(terminal.data)
        terminal.press(b"!")
        terminal.until(b"program in icanon mode")
        assert ALT_OFF in terminal.data[before:]
        time.sleep(0.5)
        terminal.press(b"hello\n")
        terminal.until(b"got hello")
        terminal.until(b"program ended with 3; enter goes back")
        terminal.press(b"\n")
        terminal.until(b"ended with 3")
        comes(terminal, lambda screen: screen[:12] == seen[:12])
        assert terminal.data.rindex(ALT_ON) > terminal.data.rindex(ALT_OFF)
        ticks = int(re.findall(rb"ticks (\d+)", terminal.data)[-1])
        assert ticks >= 3, "the loop went on while the program had the terminal"
        terminal.press(b"q")
        assert terminal.end() == 0


def test_ctrl_c_ends_the_program_and_not_the_window(tmp_path: Path) -> None:
    program = script(tmp_path, "echo waiting; exec sleep 30")
    with app_on_terminal(tmp_path, str(program)) as terminal:
        terminal.press(b"!")
        terminal.until(b"waiting")
        os.killpg(terminal.process.pid, signal.SIGINT)  # as the terminal does: to every process on it
        terminal.until(b"ended with -2")
        terminal.press(b"q")
        assert terminal.end() == 0


def test_a_program_that_leaves_the_terminal_raw_or_is_killed_does_no_harm(tmp_path: Path) -> None:
    program = script(tmp_path, "stty raw -echo; printf '\\033[?25l\\033[31m'; kill -9 $$")
    with app_on_terminal(tmp_path, str(program)) as terminal:
        attributes = termios.tcgetattr(terminal.slave)
        terminal.press(b"!")
        terminal.until(b"ended with -9; enter goes back")
        terminal.press(b"\n")
        terminal.until(b"ended with -9, ticks")
        assert termios.tcgetattr(terminal.slave)[:4] == attributes[:4]
        terminal.press(b"q")
        assert terminal.end() == 0
        assert termios.tcgetattr(terminal.slave)[3] & termios.ICANON


def test_a_program_that_is_not_there_is_told_and_nothing_flickers(tmp_path: Path) -> None:
    with app_on_terminal(tmp_path, "no-such-program") as terminal:
        before = len(terminal.data)
        terminal.press(b"!")
        terminal.until(b"is not installed")
        assert ALT_OFF not in terminal.data[before:]
        terminal.press(b"q")
        assert terminal.end() == 0


def whole_screen(terminal: Terminal) -> list[str]:
    """What a person sees now, line by line, once nothing comes any more."""
    while terminal.read(0.5):
        pass
    screen = pyte.Screen(80, 24)
    pyte.ByteStream(screen).feed(terminal.data)
    return [re.sub(r"\d+[smh] ago|\d\d:\d\d| [0-9]+[smh] +", "", line).rstrip() for line in screen.display]


def comes(terminal: Terminal, right: Callable[[list[str]], bool]) -> None:
    """Wait until a person sees what is right."""
    deadline = time.monotonic() + PATIENCE_S
    while not right(screen := whole_screen(terminal)):
        assert time.monotonic() < deadline, "\n".join(screen)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")


def test_ctrl_z_gives_the_terminal_back_and_fg_brings_the_screen_back(tmp_path: Path) -> None:
    with app_on_terminal(tmp_path) as terminal:
        before = whole_screen(terminal)
        terminal.press(b"\x1a")
        deadline = time.monotonic() + PATIENCE_S
        while not stopped(terminal.process.pid):
            assert time.monotonic() < deadline, "it did not stop"
            terminal.read(0.05)
        terminal.quiet()
        assert terminal.data.rindex(ALT_OFF) > terminal.data.rindex(ALT_ON)
        assert termios.tcgetattr(terminal.slave)[3] & termios.ICANON
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(ALT_ON)
        comes(terminal, lambda screen: screen == before)
        terminal.press(b"q")
        assert terminal.end() == 0


def test_what_was_stopped_from_elsewhere_takes_the_terminal_back_from_the_shell_and_restores_it(tmp_path: Path) -> None:
    with app_on_terminal(tmp_path) as terminal:
        ours, before = termios.tcgetattr(terminal.slave), whole_screen(terminal)
        of_the_shell = [*ours[:3], ours[3] | termios.ICANON | termios.ECHO, *ours[4:]]
        for left in (of_the_shell, ours):
            terminal.process.send_signal(signal.SIGSTOP)
            termios.tcsetattr(terminal.slave, termios.TCSANOW, left)
            terminal.press(b"")
            terminal.process.send_signal(signal.SIGCONT)
            terminal.until(ALT_ON)
            comes(terminal, lambda screen: screen == before)
            assert not termios.tcgetattr(terminal.slave)[3] & termios.ICANON
        terminal.press(b"q")
        assert terminal.end() == 0
        assert termios.tcgetattr(terminal.slave)[3] & termios.ICANON


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("shown", [ALT_ON, b"unreachable"], ids=["at the start", "later"])
def test_a_signal_ends_it_with_the_terminal_restored_and_no_traceback(
    tmp_path: Path, number: signal.Signals, shown: bytes
) -> None:
    with on_terminal("tests.tui.on_outside", str(tmp_path), home=tmp_path) as terminal:
        terminal.until(shown)
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert b"Traceback" not in terminal.data
        assert terminal.data.rindex(ALT_OFF) > terminal.data.rindex(ALT_ON)
        assert termios.tcgetattr(terminal.slave)[3] & termios.ICANON


def test_a_signal_while_a_program_has_the_terminal_ends_both(tmp_path: Path) -> None:
    program = script(tmp_path, "echo waiting; exec sleep 30")
    with app_on_terminal(tmp_path, str(program)) as terminal:
        terminal.press(b"!")
        terminal.until(b"waiting")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert b"Traceback" not in terminal.data
        assert termios.tcgetattr(terminal.slave)[3] & termios.ICANON


def test_with_no_color_set_no_colour_is_sent_and_the_cursor_is_in_reverse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    program = script(tmp_path, "echo NO_COLOR=$NO_COLOR; exit 0")
    with app_on_terminal(tmp_path, str(program)) as terminal:
        terminal.press(b"!")
        terminal.until(b"NO_COLOR=1")
        terminal.until(b"ended with 0")
        terminal.press(b"q")
        terminal.end()
    assert not COLOURS.search(terminal.data), COLOURS.search(terminal.data)
    assert b"\x1b[7m" in terminal.data or b";7m" in terminal.data or b"\x1b[7;" in terminal.data


@pytest.mark.parametrize("told", [True, False], ids=["by the kernel", "by nobody"])
def test_a_terminal_that_is_closed_ends_it_and_what_was_left_is_remembered(tmp_path: Path, told: bool) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    own = "fcntl.ioctl(0, termios.TIOCSCTTY, 0)" if told else "pass"
    command = (f"import fcntl, os, sys, termios; {own}; "
               "os.execv(sys.executable, [sys.executable, '-m', 'tests.tui.on_outside', sys.argv[1]])")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", command, str(tmp_path)], cwd=ROOT, stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True, env={**os.environ, "TERM": "xterm-256color", "HOME": str(tmp_path)},
    )  # fmt: skip
    os.close(slave)
    data = b""
    while b"unreachable" not in data:
        data += os.read(master, 65536)
    os.close(master)
    try:
        assert process.wait(PATIENCE_S) == 128 + signal.SIGHUP
    finally:
        process.kill()
        process.wait()
    assert (FakeBackend(tmp_path).state_dir / "tui-memory.json").exists()


def test_a_terminal_that_changes_its_size_at_random_under_keys_shows_everything_in_the_end(tmp_path: Path) -> None:
    sizes = random.Random(6)
    with app_on_terminal(tmp_path) as terminal:
        for key in (
            b"r",
            ESCAPE,
            b"?",
            ESCAPE,
            b":",
            b"dns",
            ESCAPE,
            b"\r",
            b"]",
            ESCAPE,
            b"3",
            b"\r",
            ESCAPE,
            b"5",
            b"1",
        ) * 2:
            termios.tcsetwinsize(terminal.slave, (sizes.randint(1, 60), sizes.randint(1, 200)))
            terminal.process.send_signal(signal.SIGWINCH)
            terminal.press(key)
            terminal.read(0.05)
        termios.tcsetwinsize(terminal.slave, (24, 80))
        terminal.process.send_signal(signal.SIGWINCH)
        comes(terminal, lambda screen: "Fleet" in screen[0])
        assert terminal.quit() == 0
        assert b"Traceback" not in terminal.data
