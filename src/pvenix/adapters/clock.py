"""The machine's own clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The Clock of a real run; `monotonic` does not jump with the wall clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def utc(self) -> str:
        """Now, UTC, ISO 8601 with milliseconds and `Z`."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; a negative number is no wait."""
        await asyncio.sleep(max(0.0, seconds))
