"""The exec channels of a guest: a program ends with its channel, and every channel may be cut at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from pvenix_lab.site.armed.table import Place
from pvenix_lab.site.guest.process import Machine, Process

Execute = Callable[[Process], Awaitable[int]]
AROUND_COMMAND: Place[Callable[[Any, Process, Execute], Awaitable[int]]] = Place(  # Any: a Guest, which stands above
    plain=lambda _guest, process, execute: execute(process)
)
"""The exit status of a command that a client runs on a guest."""


class Channels:
    """The channels that are open to one guest."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.open: set[asyncio.Task[None]] = set()

    async def run(self, process: Process) -> int:
        """The exit status of a program that runs in a channel of its own.

        Raises:
            ConnectionResetError: the channel was cut or the guest went off: nothing is known about the program.
        """
        status: list[int] = []

        async def job() -> None:
            with contextlib.suppress(ConnectionError):  # the client went away while the program read or wrote
                status.append(await self._machine.shell.execute(process))

        channel = self._machine.spawn(job(), f"channel {process.argv[0] if process.argv else ''}")
        self.open.add(channel)
        try:
            await asyncio.wait((channel,))
        finally:
            self.open.discard(channel)
            channel.cancel()
        if not status:
            raise ConnectionResetError("the connection to the guest was lost")
        return status[0]

    def cut(self) -> None:
        """Let every program of a channel die with its connection."""
        for channel in list(self.open):
            channel.cancel()
