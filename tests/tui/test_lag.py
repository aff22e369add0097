from __future__ import annotations

import asyncio
from pathlib import Path

from typing_extensions import override

from pvenix_tui.lag import EVERY_S, WRITE_EVERY, LagSampler


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to what is due, and late by what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.late = 0.0

    @override
    def time(self) -> float:
        return self.now

    def run_due(self, count: int) -> None:
        for _ in range(count):
            self.now += EVERY_S + self.late
            self.call_soon(self.stop)
            self.run_forever()


def test_how_late_the_loop_was_is_written_about_once_a_second(tmp_path: Path) -> None:
    loop, file = Loop(), tmp_path / "lag"
    file.write_text("of an earlier session\n")
    try:
        sampler = LagSampler(file)
        loop.call_soon(sampler.start)
        loop.run_due(1)
        loop.now = 0.0
        loop.late = 0.030
        loop.run_due(2 * WRITE_EVERY)
    finally:
        loop.close()
    values = [float(line) for line in file.read_text().splitlines()]
    assert len(values) >= WRITE_EVERY
    assert all(29.0 < value < 31.0 for value in values[1:])
