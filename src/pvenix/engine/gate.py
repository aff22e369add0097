"""What holds a run's steps back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Gate:
    """What holds steps back: pause, stop, and `continue` in step mode."""

    stopped: bool = False
    paused: bool = False
    cancelled_hosts: set[str] = field(default_factory=set)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    turn: int = 0

    def stops(self, host: str) -> bool:
        """True when `host` must start no further step."""
        return self.stopped or host in self.cancelled_hosts

    async def go_on(self) -> None:
        """End a pause, and let every step that waits for its turn begin."""
        async with self.moved:
            self.paused = False
            self.turn += 1
            self.moved.notify_all()

    async def stop(self, host: str = "") -> None:
        """Let `host`, or without a name every host, start no further step; what runs goes on to its end."""
        async with self.moved:
            self.stopped = self.stopped or not host
            self.cancelled_hosts |= {host} if host else set()
            self.moved.notify_all()

    async def unpaused(self, host: str) -> None:
        """Wait for the end of a pause, or for a stop."""
        async with self.moved:
            await self.moved.wait_for(lambda: not self.paused or self.stops(host))

    async def next_turn(self, host: str) -> None:
        """Wait for the next `continue`, or for a stop."""
        async with self.moved:
            turn = self.turn
            await self.moved.wait_for(lambda: self.turn > turn or self.stops(host))
