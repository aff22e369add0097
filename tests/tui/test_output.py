"""The thread that draws, when the terminal is gone or does not read: the program ends all the same."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from selectors import EVENT_READ, SelectSelector

import pytest
from textual.app import App
from typing_extensions import override

from pvenix_tui.terminal import Output, TerminalDriver, _Leaving, _not_waiting

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


@pytest.mark.timeout(20)
def test_what_restores_the_terminal_is_written_however_late_after_the_signal_the_program_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO()
    output = Output(terminal)
    output.start()
    output.end_soon()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 10)
    output.write("restored")
    output.stop()
    assert terminal.getvalue() == "restored"


class Resizing(TerminalDriver):
    """The driver on a terminal that gets another size while the one before is being read."""

    def __init__(self, app: App[None]) -> None:  # Textual's own takes hold of the terminal of the tests
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._in_band_window_resize = False
        self.sizes = [(100, 30), (120, 40)]

    @override
    def _get_terminal_size(self) -> tuple[int, int]:
        size = self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]
        if self.sizes[0] != size:
            self._resized()
        return size


async def test_the_size_told_last_is_the_one_that_the_terminal_has() -> None:
    app = App[None]()
    async with app.run_test() as pilot:
        Resizing(app)._resized()
        await pilot.pause()
        await pilot.pause()
        assert app.size == (120, 40)


class Stopped(TerminalDriver):
    """The driver while Textual's own sends what restores the terminal."""

    def __init__(self, app: App[None], output: Output) -> None:  # as above
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._output = output
        self._key_thread = None


@pytest.mark.timeout(20)
async def test_a_signal_to_stop_waits_for_whoever_writes_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, stops = io.StringIO(), list[int]()
    output = Output(terminal)
    output.start()
    monkeypatch.setattr(os, "kill", lambda _, number: stops.append(number))
    driver = Stopped(App[None](), output)
    monkeypatch.setattr(driver, "suspend_application_mode", lambda: output.write("restored"))
    driver._auto_restart = True
    driver._key_thread = threading.Thread()
    with output._queue.mutex:  # held by what the signal interrupts
        driver._sigtstp_application()
    await asyncio.sleep(0)
    output.stop()
    assert (terminal.getvalue(), stops) == ("restored", [signal.SIGSTOP])


class Reading(TerminalDriver):
    """The driver's thread of keys on a terminal."""

    def __init__(self, terminal: int) -> None:  # as above
        self.fileno = _not_waiting(terminal)
        self.exit_event = _Leaving(self.fileno)
        self._debug = False


@pytest.mark.timeout(20)
def test_a_key_that_somebody_else_has_read_does_not_keep_the_thread_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    told = threading.Event()

    def readable(_: SelectSelector, __: float) -> list[tuple[None, int]]:
        told.set()
        return [(None, EVENT_READ)]

    monkeypatch.setattr(SelectSelector, "select", readable)
    driver = Reading(slave)
    thread = threading.Thread(target=driver.run_input_thread, daemon=True)
    thread.start()
    assert told.wait(10)
    driver.exit_event.set()
    thread.join(5)
    assert not thread.is_alive()
    os.close(master)


def test_two_threads_may_ask_at_once_whether_the_terminal_is_gone() -> None:
    master, slave = pty.openpty()
    leaving = _Leaving(slave)
    with ThreadPoolExecutor(2) as threads:
        assert not any(threads.map(lambda _: leaving.is_set(), range(5000)))
    os.close(master)
    assert leaving.is_set()
    os.close(slave)
