"""The thread that draws, when the terminal is gone or does not read: the program ends all the same."""

from __future__ import annotations

import io
import threading
import time

import pytest
from typing_extensions import override

from pvenix_tui.terminal import Output

pytestmark = pytest.mark.tui
MORE_THAN_WAIT = 100
"""Writes; Textual's queue has room for thirty."""


class Gone(io.StringIO):
    @override
    def write(self, s: str, /) -> int:
        raise OSError(5, "Input/output error")


class Stuck(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()

    @override
    def write(self, s: str, /) -> int:
        self.reads.wait()
        return super().write(s)


@pytest.mark.timeout(20)
def test_a_terminal_that_is_gone_holds_nobody_up() -> None:
    output = Output(Gone())
    output.start()
    for _ in range(MORE_THAN_WAIT):
        output.write("x")
    output.stop()
    assert not output.is_alive()


@pytest.mark.timeout(20)
def test_a_terminal_that_does_not_read_is_waited_for_a_second_once_the_program_has_to_end() -> None:
    terminal = Stuck()
    output = Output(terminal)
    output.start()
    output.end_soon()
    began = time.monotonic()
    for _ in range(MORE_THAN_WAIT):
        output.write("x")
    output.stop()
    assert time.monotonic() - began < 5
    terminal.reads.set()  # it is a daemon thread: nothing but this test waits for it
    output._queue.put(None)
    output.join()


@pytest.mark.timeout(20)
def test_everything_that_was_drawn_is_written_before_it_stops() -> None:
    terminal = io.StringIO()
    output = Output(terminal)
    output.start()
    for _ in range(MORE_THAN_WAIT):
        output.write("x")
    output.stop()
    assert terminal.getvalue() == "x" * MORE_THAN_WAIT
