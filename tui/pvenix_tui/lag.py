"""How late the event loop comes to what is due: the measure behind `--debug-lag` and bench/tui_live.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

EVERY_S: Final = 0.005
WRITE_EVERY: Final = 200
"""Samples between two writes to the file, about a second."""


class LagSampler:
    """Writes how much longer than EVERY_S each wait of that length took, in milliseconds, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._samples: list[str] = []
        self._due = 0.0

    def start(self) -> None:
        """Sample for as long as the loop runs; what a file held before is gone."""
        self._path.write_text("", encoding="utf-8")
        self._wait(asyncio.get_running_loop())

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + EVERY_S
        loop.call_later(EVERY_S, self._sample, loop)

    def _sample(self, loop: asyncio.AbstractEventLoop) -> None:
        self._samples.append(f"{max(0.0, loop.time() - self._due) * 1000:.2f}\n")
        if len(self._samples) >= WRITE_EVERY:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(self._samples)
            self._samples.clear()
        self._wait(loop)
