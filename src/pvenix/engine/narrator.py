"""Turns what happens into events and log lines."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from pvenix.engine.logparts import times_path
from pvenix.engine.noroom import no_room
from pvenix.engine.ports import Clock
from pvenix.engine.runfiles import RunDir
from pvenix.engine.stepwords import heading
from pvenix.model.events import Event
from pvenix.model.secret import KNOWN

_LINE_LIMIT = 4096
"""Characters after which an unfinished line is written all the same, so that nothing a host prints is held for long."""
_TIME_EVERY_S = 1.0


class Narrator:
    """Numbers a run's events, writes them to its files and hands them to this process's listener.

    `clean` makes text of hosts safe for a terminal: not all of it came through a sanitised stream.
    """

    def __init__(
        self, run: RunDir, clock: Clock, on_event: Callable[[Event], None], *, clean: Callable[[str], str] = str
    ) -> None:
        self._run = run
        self._clock = clock
        self._on_event = on_event
        self._clean = clean
        run.mend_events()
        earlier, _ = run.events()
        self._seq = earlier[-1].seq if earlier else 0
        self._logs: dict[str, HostLog] = {}

    def emit(self, kind: type[Event], **fields: Any) -> None:
        """Write one event and pass it on.

        Raises: LocalResource when the disk does not take it.
        """
        self._seq += 1
        event = kind(run=self._run.run, seq=self._seq, at=self._clock.utc(), **KNOWN.masked(fields))
        self._run.append_event(event)
        self._on_event(event)

    def log(self, host: str) -> HostLog:
        """The log of `host`, open until the narrator is closed."""
        if host not in self._logs:
            self._logs[host] = HostLog(self._run.log_path(host), self._clean, self._clock)
        return self._logs[host]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for log in self._logs.values():
            log.close()
        self._logs.clear()


class HostLog:
    """The output of one host in one run, line by line; of a progress line that redraws itself the last state is kept."""

    def __init__(self, path: Path, clean: Callable[[str], str], clock: Clock) -> None:
        self._file: TextIO = _open(path)
        self._times = times_path(path)
        self._clean = clean
        self._clock = clock
        self._noted_at = -_TIME_EVERY_S
        self._partial = ""
        self._mask = KNOWN.stream()

    def write(self, text: str) -> None:
        """Append output as it came; a line is written when it is whole.

        Raises: LocalResource when the disk does not take it.
        """
        *lines, self._partial = (self._partial + self._mask.feed(text)).split("\n")
        if len(self._partial) > _LINE_LIMIT:
            lines, self._partial = [*lines, self._partial], ""
        self._put(lines)

    def line(self, text: str) -> None:
        """Append one line of our own, on a line of its own.

        Raises: LocalResource when the disk does not take it.
        """
        partial, self._partial = self._partial + self._mask.finish(), ""
        self._put([partial, text] if partial else [text])

    def begin(self, step: str) -> int:
        """Head a step's output with a line of its own; where that line is, in bytes.

        Raises: LocalResource when the disk does not take it.
        """
        self._end_line()
        at = os.fstat(self._file.fileno()).st_size
        self._put([heading(step)])
        return at

    def close(self) -> None:
        """Write what is left and close the file."""
        self._end_line()
        self._file.close()

    def _end_line(self) -> None:
        partial, self._partial = self._partial + self._mask.finish(), ""
        self._put([partial] if partial else [])

    def _put(self, lines: list[str]) -> None:
        if not lines:
            return
        try:
            self._note_time()
            self._file.write(self._clean("".join(f"{_last_state(line)}\n" for line in lines)))
            self._file.flush()
        except OSError as error:
            raise no_room("a host's log cannot be written", Path(self._file.name), error) from error

    def _note_time(self) -> None:
        """Write down when what comes next came; opened each time, as a run has a log open for each of its hosts."""
        now = self._clock.monotonic()
        if now - self._noted_at < _TIME_EVERY_S:
            return
        self._noted_at = now
        with self._times.open("a", encoding="ascii") as file:
            file.write(f"{os.fstat(self._file.fileno()).st_size} {self._clock.utc()}\n")


def _last_state(line: str) -> str:
    """What a terminal would show of a line with carriage returns in it."""
    return line.rstrip("\r").rpartition("\r")[2]


def _open(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8", errors="replace")
    except OSError as error:
        raise no_room("a host's log cannot be opened", path, error) from error
