"""A program on a terminal of its own, for benches: typed to, read back, resized, ended."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pyte

ROOT = Path(__file__).parent.parent
PATIENCE_S = 30.0
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


class Program:
    """A program on a terminal."""

    def __init__(self, words: Sequence[str], size: tuple[int, int], environment: dict[str, str]) -> None:
        self.columns, self.rows = size
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (self.rows, self.columns))
        self._process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT, start_new_session=True
        )
        os.close(slave)
        self.pid = self._process.pid
        self.read_bytes = 0

    def read(self, seconds: float) -> bytes:
        """What it writes next, empty when nothing came in time."""
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return b""
        data = os.read(self._master, 1 << 20)
        self.read_bytes += len(data)
        return data

    def drain(self, seconds: float) -> bytes:
        """Everything that it writes in the next `seconds`."""
        end, data = time.monotonic() + seconds, b""
        while (left := end - time.monotonic()) > 0:
            data += self.read(left)
        return data

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def until(self, wanted: bytes) -> None:
        """Read until it shows `wanted`. Raises: RuntimeError when it does not."""
        end, data = time.monotonic() + PATIENCE_S, b""
        while wanted not in data:
            more = self.read(end - time.monotonic())
            if not more:
                raise RuntimeError(f"{wanted!r} did not come; the end of what did: {data[-800:]!r}")
            data = _COLOURS.sub(b"", data + more)

    def repainted(self) -> list[str]:
        """The whole screen as text, drawn anew on a terminal one line lower than before."""
        self.rows += 1
        screen = pyte.Screen(self.columns, self.rows)
        termios.tcsetwinsize(self._master, (self.rows, self.columns))
        self._process.send_signal(signal.SIGWINCH)  # the terminal is not its controlling one
        pyte.ByteStream(screen).feed(self.drain(1.0))
        return list(screen.display)

    def end(self) -> None:
        """End it, reading what it still writes."""
        self._process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 5.0
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):  # the terminal's other end is closed: it has ended
                self.read(0.05)
        self._process.kill()
        self._process.wait()
        os.close(self._master)
