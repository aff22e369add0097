"""Byte streams of one exec channel, as the guest's programs see them; a face adapts its own streams to these."""

from __future__ import annotations

import contextlib
from typing import Protocol


class ByteReader(Protocol):
    """Standard input of a program."""

    async def read(self, n: int = -1, /) -> bytes:
        """At most `n` bytes (all until the end when negative); empty at the end."""


class ByteWriter(Protocol):
    """Standard output or standard error of a program."""

    def write(self, data: bytes, /) -> None:
        """Queue `data`."""

    async def drain(self) -> None:
        """Wait until the far side takes more: back-pressure of the channel."""


class BytesReader:
    """A reader over bytes that are already there."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    async def read(self, n: int = -1, /) -> bytes:
        """At most `n` bytes, all when negative."""
        size = len(self._data) if n < 0 else n
        taken, self._data = self._data[:size], self._data[size:]
        return taken


class BytesWriter:
    """A writer that keeps what it got in `data`."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> None:
        """Append `data`."""
        self.data += data

    async def drain(self) -> None:
        """Nothing to wait for."""

    @property
    def text(self) -> str:
        """Everything written, as UTF-8."""
        return self.data.decode("utf-8", "replace")


class UnheardWriter:
    """A writer for a program that goes on when nobody listens any more."""

    def __init__(self, stream: ByteWriter) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> None:
        """Write while there is a connection."""
        with contextlib.suppress(Exception):  # each face has errors of its own for a stream whose reader has gone
            self._stream.write(data)

    async def drain(self) -> None:
        """Wait for the far side while there is one."""
        with contextlib.suppress(Exception):  # as above
            await self._stream.drain()
