"""The Clock of simulations: the event loop's own time, so that a loop that jumps to its next timer moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

EPOCH = 1_750_000_000.0


class LoopClock:
    """Seconds of the running loop; the wall clock starts at EPOCH when the loop's time is 0."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def utc(self) -> str:
        now = datetime.fromtimestamp(EPOCH + self.monotonic(), UTC)
        return now.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
