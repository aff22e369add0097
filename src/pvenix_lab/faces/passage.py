"""Carries a direct-tcpip channel of the jump to a guest's listener, as sshd does: closed once both ends have ended.

asyncssh's own forwarder leaves the channel half-open when the guest ends first, so that `ssh -W` waits for ever (2.24.1).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncssh

_CHUNK = 1 << 16
Passage = Callable[[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]], Awaitable[None]]


class Hold:
    """A network between client and guest that may swallow packets. `forget` is called with it when its passage ends."""

    def __init__(self, *, forget: Callable[[Hold], None]) -> None:
        self.forget = forget
        self.silent = False
        self.half_open = False

    def fall(self, *, half_open: bool) -> None:
        """Carry nothing any more. `half_open`: the guest's end is gone, and the client's next packet is answered so."""
        self.silent, self.half_open = True, half_open


def passage_to(host: str, port: int, hold: Hold) -> Passage:
    """The handler of a channel that leads to a listener on this machine."""

    async def carry(far_reader: asyncssh.SSHReader[bytes], far_writer: asyncssh.SSHWriter[bytes]) -> None:
        try:
            with contextlib.closing(far_writer), contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(host, port)
                with contextlib.closing(writer):
                    await _both((far_reader, writer), (reader, far_writer), hold)
        finally:
            hold.forget(hold)

    return carry


async def _both(forth: tuple[Any, Any], back: tuple[Any, Any], hold: Hold) -> None:
    """Carry both ways until both have ended, or one was reset; what fell silent ends when the client gives up."""
    async with asyncio.TaskGroup() as group:
        ways = [group.create_task(_copy(*way, hold)) for way in (forth, back)]
        waiting = set(ways)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if hold.half_open:
                if ways[0] in done:
                    break
            elif not hold.silent and not all(way.result() for way in done):
                break
        if hold.silent and not hold.half_open:
            with contextlib.suppress(OSError, asyncssh.Error):
                while await forth[0].read(_CHUNK):
                    pass
        for way in ways:
            way.cancel()


async def _copy(source: Any, sink: Any, hold: Hold) -> bool:
    """Carry bytes until the source ends, and its end too; False when one side was reset, or the network fell silent."""
    try:
        while data := await source.read(_CHUNK):
            if hold.silent:
                return False
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof() and not hold.silent:
            sink.write_eof()
    except (OSError, asyncssh.Error):
        return False
    return True


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes and say nothing, until the client goes."""
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while await reader.read(1 << 16):
            pass
