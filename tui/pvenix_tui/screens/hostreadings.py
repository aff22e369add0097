"""What a host's tabs read: each when it is first shown, all that were shown when a person asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from typing_extensions import override

from pvenix_tui.models.hostruns import parts_of
from pvenix_tui.models.hosttabs import Reading, Tab
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.session import Session
from pvenix_tui.working import in_background


class HostReadings(PvenixScreen[None]):
    """The readings of a host's tabs."""

    host: str

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.readings: dict[Tab, Reading[Any]] = {each: Reading() for each in Tab}

    def read_journal(self) -> None:
        """Ask for the last lines of the journal anew."""
        raise NotImplementedError

    def want(self, tab: Tab) -> None:
        """Read what a tab shows, unless it was asked for already."""
        if not self.readings[tab].asked:
            self.read(tab)

    def read(self, tab: Tab) -> None:
        """Read what a tab shows, once more; one that is being read is not asked twice."""
        if tab is Tab.JOURNAL:
            self.read_journal()
            return
        if self.readings[tab].busy:
            return
        self.readings[tab].begin()
        self.refresh_bars()
        in_background(self, partial(self._read, tab), group=f"host-{tab.value}")

    async def _read(self, tab: Tab) -> None:
        reading, source = self.readings[tab], f"{tab.value} of {self.host}"

        async def work() -> None:
            if tab is Tab.DRIFT:  # the edits come at once, what the hardware generator says takes seconds
                reading.take(await self.session.backend.host_drift(self.host), self.session.clock())
                reading.begin()
                self.redraw()
            reading.take(await self._ask_for(tab), self.session.clock())

        if not await self.session.guarded(source, work):
            reading.fail(self.session.problems.pop(source))
        self.redraw()

    async def _ask_for(self, tab: Tab) -> object:
        backend, host = self.session.backend, self.host
        at_once: dict[Tab, Callable[[], Awaitable[object]]] = {
            Tab.FACTS: lambda: asyncio.to_thread(backend.host_card, host),
            Tab.DRIFT: lambda: backend.host_drift(host, hardware=True),
            Tab.CONFIG: lambda: asyncio.to_thread(self.session.explain, host),
            Tab.HARDWARE: lambda: backend.hardware_text(host),
            Tab.CLOUD_INIT: lambda: backend.cloud_init(host),
            Tab.UNITS: lambda: backend.units(host),
            Tab.RUNS: lambda: asyncio.to_thread(parts_of, backend.runs, host),
            Tab.PROXMOX: lambda: backend.vm(host),
        }
        if tab is Tab.GENERATIONS:
            return tuple(sorted(await backend.generations(host), key=lambda one: -one.number))
        return await at_once[tab]()

    @override
    def read_again(self) -> None:
        in_background(self, self._read_status, group="host-status")

    async def _read_status(self) -> None:
        async def work() -> None:
            async for status in self.session.backend.status((self.host,)):
                self.session.fleet.read(status)

        await self.session.guarded(f"status of {self.host}", work)
        self.redraw()

    @override
    def reread(self) -> None:
        """Everything that shows or was shown; what nobody has looked at yet is not asked for."""
        for tab in Tab:
            if self.readings[tab].asked:
                self.read(tab)
