"""A person at a real terminal of 80x24: a pty, the bytes through an emulator, the keys as bytes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

PATIENCE_S = 50.0
UNREAD = "read the plan to its end first"
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "down": "\x1b[B",
    "ctrl+d": "\x04",
    "ctrl+r": "\x12",
    "space": " ",
    "tab": "\t",
}


class Terminal:
    """`pvenix-tui` in a terminal; what shows is read as text."""

    def __init__(self, *words: str, cwd: Path, env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        environment = {key: value for key, value in env.items() if key != "NO_COLOR"}
        environment |= {"TERM": "xterm-256color", "PYTHONFAULTHANDLER": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pvenix_tui.entry", *words],
            cwd=cwd, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._screen: Any = pyte.Screen(80, 24)
        self._stream: Any = pyte.ByteStream(self._screen)
        self._said = b""
        self._before: str | None = None
        """What showed when the first key was pressed that nothing was seen of since."""
        self._escaped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.end()
        os.close(self._master)

    def text(self) -> str:
        """The screen as it is now."""
        self._read(0.0)
        return "\n".join(line.rstrip() for line in self._screen.display)

    def press(self, *keys: str) -> None:
        """Press keys, by name or as characters.

        One behind escape has to wait until what escape does was seen: both in one piece are another key, alt with it.
        """
        for key in keys:
            assert not self._escaped, f"see what escape does before {key!r}"
            self._escaped = key == "escape"
            self._before = self.text() if self._before is None else self._before
            os.write(self._master, KEYS.get(key, key).encode())
            self._read(0.05)

    def see(self, *texts: str) -> str:
        """Wait until all of these show, which they did not when the keys before were pressed; the screen."""
        return self.see_that(lambda screen: all(text in screen for text in texts), " and ".join(map(repr, texts)))

    def see_that(self, right: Callable[[str], bool], what: str) -> str:
        """Wait until the screen is `right`, which it was not when the keys before were pressed; the screen."""
        self._must_be_new(right, what)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            screen = self.text()
            if right(screen):
                self._before, self._escaped = None, False
                return screen
            if self.process.poll() is not None:
                break
            self._read(0.05)
        raise AssertionError(f"{what} did not show:\n{self.text()}")

    def press_until(self, text: str, key: str, *, where: str = "") -> None:
        """Press a key again and again, while `where` shows, until the text does."""
        self._must_be_new(lambda screen: text in screen, repr(text))
        deadline = time.monotonic() + PATIENCE_S
        while text not in (screen := self.text()):
            assert time.monotonic() < deadline, f"{text!r} did not show:\n{screen}"
            self.press(*([key] if where in screen else []))
            self._read(0.05)
        self._before = None

    def confirm(self, question: str = "y start: ") -> None:
        """y on what asks for it, once it was read to its end and the half second in which it counts for nothing is over.

        A plan that still takes in what its hosts say grows, and has to be read to its end again.
        """
        self.press_until(question, "G", where=UNREAD)
        time.sleep(0.6)
        self.press("y")

    def leave(self) -> int:
        """Press q; the exit code."""
        self.press("q")
        return self.end()

    def end(self) -> int:
        """The exit code, once the program has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        if self.process.poll() is None:
            screen, self._said = self.text(), b""
            self.process.send_signal(signal.SIGABRT)  # Python then says where each thread is
            self._read(1.0)
            self.process.kill()
            raise AssertionError(f"it did not end:\n{screen}\n{self._said.decode(errors='replace')}")
        return self.process.wait()

    def _must_be_new(self, right: Callable[[str], bool], what: str) -> None:
        """What showed before a key tells nothing of it: the next key could come before the screen that it is for."""
        assert self._before is None or not right(self._before), f"{what} showed before the keys:\n{self._before}"

    def _read(self, seconds: float) -> None:
        while select.select([self._master], [], [], seconds)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the far end is closed: the program has ended
                return
            if not data:
                return
            self._stream.feed(data)
            self._said += data
            seconds = 0.0
