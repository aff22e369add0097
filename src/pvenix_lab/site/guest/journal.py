"""The journal of one guest: what its units and its service manager said, boot after boot, oldest first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

_KEPT = 5000
INFO, WARNING, ERROR = 6, 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message; `at` in seconds since the epoch, `number` counts from 1 over the life of the disk."""

    number: int
    at: float
    boot_id: str
    unit: str
    identifier: str
    pid: int
    priority: int
    text: str


@dataclass(slots=True, kw_only=True)
class Journal:
    """The last few thousand messages. The journal survives a reboot; the oldest messages go first."""

    records: deque[Record] = field(default_factory=lambda: deque(maxlen=_KEPT))
    count: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, text: str, *, at: float, boot_id: str, unit: str, identifier: str, pid: int, priority: int) -> None:
        """Append a message."""
        self.count += 1
        self.records.append(
            Record(
                number=self.count,
                at=at,
                boot_id=boot_id,
                unit=unit,
                identifier=identifier,
                pid=pid,
                priority=priority,
                text=text,
            )
        )

        self._grown.set()
        self._grown = asyncio.Event()

    async def grown(self) -> None:
        """Wait for the next message."""
        await self._grown.wait()

    def of(self, units: tuple[str, ...]) -> Iterator[Record]:
        """The messages of these units and of the manager about them; all of them without a unit."""
        return (record for record in self.records if not units or record.unit in units)

    def boots(self) -> list[str]:
        """The boot ids that messages are kept of, oldest first."""
        return list(dict.fromkeys(record.boot_id for record in self.records))
