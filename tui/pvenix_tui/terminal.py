"""What is drawn goes to the terminal by a thread; a terminal that is gone or stuck must not keep the program."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from queue import Full
from threading import Event
from typing import IO, Any, Final

from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size
from typing_extensions import override

_STEP_S: Final = 0.2
"""Seconds after which somebody who waits for room looks again whether there is a terminal at all."""
_LAST_STEPS: Final = 5
"""Such steps without a single one of its writes that a terminal gets, once the program has to end.

Counted, not timed: the end may begin long after the signal, and what restores the terminal must still be tried.
"""


class Output(WriterThread):
    """Textual's writer, whose bounded queue waits for ever when nobody reads it any more.

    The thread ends with the first write that fails (EIO, once the other side of the pty is closed); thirty writes later
    the event loop would stand still, with every lock that the program holds.
    """

    def __init__(self, file: IO[str]) -> None:
        super().__init__(file)
        self._ending = False
        self._stuck = False

    def end_soon(self) -> None:
        """The program has to end: a terminal that does not read is waited for a second in sum, not for ever."""
        self._ending = True

    @override
    def write(self, text: str) -> None:
        self._offer(text)

    def _offer(self, text: str | None) -> None:
        """Put `text` in the queue; where there is no room in time, and will be none, it is lost."""
        steps = _LAST_STEPS
        while self.is_alive():
            with suppress(Full):
                self._queue.put(text, timeout=0 if self._stuck else _STEP_S)
                self._stuck = False
                return
            steps -= self._ending
            if self._stuck or steps <= 0:
                self._stuck = True
                return

    @override
    def run(self) -> None:
        try:
            super().run()
        except OSError:
            _let_go(self._file)

    @override
    def stop(self) -> None:
        self._offer(None)
        steps = _LAST_STEPS
        while self.is_alive() and steps > 0 and not self._stuck:
            left = self._queue.qsize()
            self.join(_STEP_S)
            steps = _LAST_STEPS if self._queue.qsize() < left else steps - self._ending


def _let_go(file: IO[str]) -> None:
    """What a terminal that is gone has not taken goes nowhere: Python's own flush at its end would fail, with exit code 120."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def _not_waiting(terminal: int) -> int:
    """The same terminal, but a read that finds nothing does not wait; where it cannot be opened anew, it itself."""
    with suppress(OSError):
        return os.open(os.ttyname(terminal), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    return terminal


class _Leaving(Event):
    """What Textual's thread of keys asks ten times a second, and after each key, whether it has to end."""

    def __init__(self, terminal: int) -> None:
        super().__init__()
        self._terminal = terminal

    def hung_up(self) -> bool:
        """Whether nobody is at the other side of the terminal any more."""
        poll = select.poll()  # two threads ask, which one object refuses
        poll.register(self._terminal, 0)  # a hang-up is always told
        return bool(poll.poll(0))

    @override
    def is_set(self) -> bool:
        return super().is_set() or self.hung_up()


class TerminalDriver(LinuxDriver):
    """Textual's driver with that writer: it is made in the middle of a long method, so what is set is replaced."""

    _output: Output | None = None

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.fileno = _not_waiting(self.fileno)
        self.exit_event: _Leaving = _Leaving(self.fileno)

    @override
    def _run_input_thread(self) -> None:
        """As Textual's own, which would read the end of a terminal that is gone again and again.

        The kernel tells only a session that the terminal belongs to, and `nohup` keeps even that one from hearing it.
        """
        super()._run_input_thread()
        if self.exit_event.hung_up():
            os.kill(os.getpid(), signal.SIGHUP)

    @override
    def run_input_thread(self) -> None:
        """As Textual's own, which whoever ends it waits for: also when somebody else took what it was told of (SIGSTOP)."""
        while not self.exit_event.is_set():
            with suppress(BlockingIOError):
                super().run_input_thread()

    @override
    def start_application_mode(self) -> None:
        """As Textual's own; not when a program had the terminal and the window was told to end meanwhile.

        Its thread of keys, which nobody would end any more, would keep the process.
        """
        if self._app._exit:  # noqa: SLF001 Textual has no other word for it
            return
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's
        signal.signal(signal.SIGWINCH, self._resized)

    def _resized(self, *_: object) -> None:
        """Let the loop read the new size and tell it.

        Textual 8.2 reads it here, where the next signal may interrupt: the older size would be told last, and stay.
        """
        if not self._in_band_window_resize:
            self._soon(self._tell_size)

    def _tell_size(self) -> None:
        size = Size(*self._get_terminal_size())
        self._app.post_message(Resize(size, size))

    def _soon(self, do: Callable[[], object]) -> None:
        """Let the loop do it: a signal interrupts anything, also whoever holds the lock of the queue that it would wait for."""
        with suppress(RuntimeError):  # the loop has ended, and the terminal is as it was
            self._loop.call_soon_threadsafe(do)

    @override
    def _sigtstp_application(self, *_: object) -> None:
        self._soon(self._stop_for_now)

    def _stop_for_now(self) -> None:
        if self._key_thread is None:
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            super()._sigtstp_application()

    @override
    def _sigcont_application(self, *_: object) -> None:
        self._soon(self._go_on)

    def _go_on(self) -> None:
        """Take the terminal back, as whoever had it meanwhile left it.

        What SIGSTOP stopped had no chance to let go of it: begun on top of that, there would be a second thread of keys,
        and the settings of this program would count as those of before.
        """
        if not self._auto_restart or self._key_thread is None or self._app._exit:  # noqa: SLF001 as above
            return
        if self._key_thread.is_alive():
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.refresh(layout=True)

    @property  # type: ignore[explicit-override]  # mypy looks for the mark on properties of a base only, not on attributes
    @override
    def _writer_thread(self) -> Output | None:
        return self._output

    @_writer_thread.setter
    @override
    def _writer_thread(self, writer: WriterThread | None) -> None:
        self._output = None if writer is None or self._file is None else Output(self._file)

    def end_soon(self) -> None:
        """As `Output.end_soon`."""
        if self._output is not None:
            self._output.end_soon()

    @override
    def close(self) -> None:
        super().close()
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError:
            _let_go(self._file)
