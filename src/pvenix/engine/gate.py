"""What holds a run's steps back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Gate:
    """What holds steps back: pause, stop, and `continue` in step mode."""

    stopped: bool = False
    paused: bool = False
    cancelled_hosts: set[str] = field(default_factory=set)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    turn: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    """The step at which each host waits for a person."""
    skips: dict[str, str] = field(default_factory=dict)
    """Who let each host go on without the step at which it waits."""

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

    async def skip(self, host: str, step: str, by: str) -> bool:
        """Let `host` go on without `step`; False when it does not wait there."""
        async with self.moved:
            if self.waiting.get(host) != step:
                return False
            self.skips[host] = by
            self.moved.notify_all()
            return True

    async def unpaused(self, host: str, step: str) -> str:
        """Wait for the end of a pause, or for a stop; who skipped the step meanwhile, if anybody did."""
        return await self._wait(host, step, lambda: not self.paused)

    async def next_turn(self, host: str, step: str) -> str:
        """Wait for the next `continue`, or for a stop; who skipped the step meanwhile, if anybody did."""
        turn = self.turn
        return await self._wait(host, step, lambda: self.turn > turn)

    async def _wait(self, host: str, step: str, over: Callable[[], bool]) -> str:
        async with self.moved:
            self.waiting[host] = step
            try:
                await self.moved.wait_for(lambda: over() or self.stops(host) or host in self.skips)
            finally:
                del self.waiting[host]
            return self.skips.pop(host, "")
