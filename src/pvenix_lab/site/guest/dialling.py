"""Lets a real git process reach other guests: what it starts as `ssh` hands its streams to the lab and waits for a status.

The helper is the few lines in `_HELPER`; descriptors travel over a socket that git and its children inherit, so nothing listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self

from pvenix_lab.site.guest.streams import ByteReader, ByteWriter

Streams = tuple[ByteReader, ByteWriter, ByteWriter]
Dial = Callable[[tuple[str, ...], Streams], Awaitable[int]]
"""Runs the guest's `ssh` with these arguments over these streams; returns its exit status."""

_HELPER = Path(__file__).with_name("dialhelper.py")
_MESSAGE = 64 * 1024
_DESCRIPTORS = 4


class Dialler:
    """The lab's end for one git process. Run `serve` while it lives."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.settimeout(0)

    def environment(self, wished: str) -> dict[str, str]:
        """What makes git call us; `wished` is the GIT_SSH_COMMAND that it would have had."""
        words = [sys.executable, "-I", "-S", str(_HELPER), str(self.theirs.fileno()), *shlex.split(wished)[1:]]
        return {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}

    async def serve(self) -> None:
        """Connect whoever asks, until cancelled."""
        loop = asyncio.get_running_loop()
        waiting = asyncio.Event()
        loop.add_reader(self._ours, waiting.set)
        try:
            async with asyncio.TaskGroup() as connections:
                while True:
                    await waiting.wait()
                    waiting.clear()
                    for words, descriptors in self._requests():
                        connections.create_task(self._connect(words, descriptors))
        finally:
            loop.remove_reader(self._ours)

    def close(self) -> None:
        """Give both ends back."""
        self._ours.close()
        self.theirs.close()

    def _requests(self) -> Iterator[tuple[tuple[str, ...], list[int]]]:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, descriptors, _, _ = socket.recv_fds(self._ours, _MESSAGE, _DESCRIPTORS)
                yield tuple(json.loads(data)), descriptors

    async def _connect(self, words: tuple[str, ...], descriptors: list[int]) -> None:
        stdin, stdout, stderr, answer = descriptors
        with socket.socket(fileno=answer) as answering, _Raw(stderr) as errors:
            async with _reading(stdin) as reader, _writing(stdout) as writer:
                status = await self._dial(words, (reader, writer, errors))
            with contextlib.suppress(OSError):  # git may have gone before its ssh
                answering.send(bytes([status & 0xFF]))


class _Raw:
    """A descriptor shared with git itself, which must stay blocking."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes, /) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, data)

    async def drain(self) -> None:
        """Nothing is queued."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


@contextlib.asynccontextmanager
async def _reading(descriptor: int) -> AsyncIterator[ByteReader]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    try:
        yield reader
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def _writing(descriptor: int) -> AsyncIterator[ByteWriter]:
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(descriptor, "wb", 0))
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        yield writer
        with contextlib.suppress(ConnectionError):
            await writer.drain()
    finally:
        transport.close()
