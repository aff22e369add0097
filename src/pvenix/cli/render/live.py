"""Live progress on a terminal: what ended scrolls by, a line for every active host stays below and is redrawn."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from typing_extensions import override

from pvenix.cli.render.plain import Plain
from pvenix.cli.render.view import HostView
from pvenix.cli.text import cut, one_line
from pvenix.model.events import Event, Progress, StepStarted, StepWaiting

_REDRAW_S = 0.1
_KEEP_FREE = 4
"""Rows of the terminal that the live lines leave to what scrolls by."""


class Live(Plain):
    """As `Plain`, without a line for each phase: those show below, where they are redrawn in place."""

    def __init__(self, *, verbose: int = 0, diff: bool = False, terminal: TextIO | None = None) -> None:
        super().__init__(verbose=verbose, diff=diff)
        self._terminal = terminal or sys.stderr
        self._drawn = 0
        self._drawn_at = 0.0
        self._held = False
        self._started: dict[str, float] = {}

    @override
    def event(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._started[event.host] = time.monotonic()
        if isinstance(event, Progress | StepWaiting) and event.step:
            self.view.feed(event)
        else:
            super().event(event)
        self.tick()

    @override
    def tick(self) -> None:
        if not self._held and time.monotonic() - self._drawn_at >= _REDRAW_S:
            self._draw()

    @override
    def pause(self) -> None:
        self._erase()
        self._held = True

    @override
    def go_on(self) -> None:
        self._held = False

    @override
    def finish(self, exit_code: int) -> None:
        self._erase()
        super().finish(exit_code)

    @override
    def say(self, text: str) -> None:
        self._erase()
        super().say(text)

    @override
    def show(self, text: str) -> None:
        self._erase()
        super().show(text)

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        active = self.view.active
        room = max(1, size.lines - _KEEP_FREE)
        lines = [cut(self._of(host), size.columns - 1) for host in active[:room]]
        if len(active) > room:
            lines[-1] = f"… and {len(active) - room + 1} more"
        ended = sum(1 for host in self.view.hosts.values() if host.status)
        if active:
            lines.append(cut(f"{ended} of {len(self.view.hosts)} hosts through", size.columns - 1))
        back = f"\x1b[{self._drawn}F" if self._drawn else ""
        self._terminal.write(back + "\x1b[J" + "".join(f"{line}\n" for line in lines))
        self._terminal.flush()
        self._drawn, self._drawn_at = len(lines), time.monotonic()

    def _erase(self) -> None:
        if self._drawn:
            self._terminal.write(f"\x1b[{self._drawn}F\x1b[J")
            self._terminal.flush()
        self._drawn, self._drawn_at = 0, 0.0

    def _of(self, host: HostView) -> str:
        step = host.active
        if step is None:
            return host.host
        seconds = int(time.monotonic() - self._started.get(host.host, time.monotonic()))
        text = f"waits: {step.waits_for}" if step.waits_for else step.progress or step.name
        clock = f"{seconds // 60}:{seconds % 60:02d}"
        return f"{host.host:<{self.width}}  {step.verb:<9}  {clock:>5}  {one_line(text)}"
