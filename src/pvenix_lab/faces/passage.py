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


def passage_to(host: str, port: int) -> Passage:
    """The handler of a channel that leads to a listener on this machine."""

    async def carry(far_reader: asyncssh.SSHReader[bytes], far_writer: asyncssh.SSHWriter[bytes]) -> None:
        with contextlib.closing(far_writer), contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_copy(far_reader, writer))
                    group.create_task(_copy(reader, far_writer))

    return carry


async def _copy(source: Any, sink: Any) -> None:
    """Carry bytes until the source ends or is reset, and pass the end on; a sink that is gone ends it too."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError, asyncssh.Error):
        if sink.can_write_eof():
            sink.write_eof()
