"""A program on a real terminal, as bytes."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from tests.tui.stacks import STACKS

ROOT = Path(__file__).parents[2]
PATIENCE_S = 50.0
ESCAPE = b"\x1b[27u"
"""Escape as terminals say it that tell it from the begin of another key, however fast the next one comes."""


class Terminal:
    """The terminal and the Python program on it."""

    def __init__(self, *words: str, home: Path, size: tuple[int, int] = (24, 80)) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, size)
        self._home = home
        self.data = b""
        """Everything that the program has written."""
        self._seen = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "HOME": str(home)},
        )  # fmt: skip

    def until(self, wanted: bytes) -> None:
        """Read until `wanted` comes, behind what was waited for before and what came before the last key."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.data.find(wanted, self._seen)) < 0:
            if not self.read(deadline - time.monotonic()):
                raise AssertionError(f"{wanted!r} did not come; the end is {self.data[-2000:]!r}\n{self.stacks()}")

        self._seen = found + len(wanted)

    def stacks(self) -> str:
        """Where the program is, when it is one that tells (see `stacks.py`)."""
        said = self._home / STACKS
        if not said.exists():
            return ""
        self.process.send_signal(signal.SIGUSR1)
        self.quiet(1)
        return said.read_text()

    def press(self, keys: bytes) -> None:
        """Type; what the screen before the key had on it is not what it brings."""
        while self.read(0.0):
            pass
        self._seen = len(self.data)
        os.write(self.master, keys)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, and tell the program as a terminal does."""
        termios.tcsetwinsize(self.slave, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def quiet(self, seconds: float = 0.2) -> None:
        """Read until nothing came for so long."""
        while self.read(seconds):
            pass

    def end(self, patience_s: float = PATIENCE_S) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + patience_s
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        while self.read(0.0):
            pass
        code = self.process.poll()
        assert code is not None, f"the program did not end\n{self.stacks()}"
        return code

    def quit(self) -> int:
        """Press ctrl+q, which dialogs hear too, and again when a screen that came up meanwhile took it; the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.press(b"\x11")
            again = time.monotonic() + 2
            while self.process.poll() is None and time.monotonic() < again:
                self.read(0.1)
        return self.end()

    def read(self, seconds: float) -> bool:
        """Read what comes next; False when nothing came for so long."""
        if not select.select([self.master], [], [], max(0.0, seconds))[0]:
            return False
        self.data += os.read(self.master, 65536)
        return True


@contextlib.contextmanager
def on_terminal(*words: str, home: Path, size: tuple[int, int] = (24, 80)) -> Iterator[Terminal]:
    """`python -m WORDS` on a terminal of this many rows and columns; ended at the latest with the block."""
    terminal = Terminal(*words, home=home, size=size)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
        os.close(terminal.slave)
