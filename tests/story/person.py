"""A person at a terminal who types commands: keys and a closed window reach the program as its kernel sends them."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time

from tests.story.world import PATIENCE_S, StoryLab


class AtTerminal:
    """A pvenix command at a terminal of its own."""

    def __init__(self, lab: StoryLab, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "pvenix", *words],  # so that the pty's keys are signals
            cwd=lab.fleet, env=lab.env, stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        self.shown = ""
        self.mode = termios.tcgetattr(self._master)
        """How the terminal was set up at first."""

    def sees(self, text: str) -> None:
        """Wait until the text was printed."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read(0.2) and self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}:\n{self.shown}")

    def types(self, text: str) -> None:
        os.write(self._master, f"{text}\n".encode())

    def presses_ctrl_c(self) -> None:
        os.write(self._master, b"\x03")

    def closes_the_window(self) -> None:
        """The kernel hangs up on whoever has the terminal."""
        os.close(self._master)

    def ends(self, code: int) -> None:
        """Wait for the end, at which the terminal is as it was."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self._read(0.2)
        while self._read(0.0):
            pass
        assert termios.tcgetattr(self._master) == self.mode
        os.close(self._master)
        assert self.process.returncode == code, self.shown

    def _read(self, patience_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], patience_s)
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the last process that had the terminal is gone
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
