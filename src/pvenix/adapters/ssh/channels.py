"""The two ways to read a remote command: collected whole with a bound, or followed chunk by chunk.

Chunks come through `data_received`; asyncssh's line iterators cost 13 to 15 times the CPU on bursts.
"""

from __future__ import annotations

import asyncio
import codecs
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import asyncssh
from typing_extensions import override

from pvenix.adapters.text import Sanitiser
from pvenix.engine.ports import End, OutputSink
from pvenix.model.secret import KNOWN

STDERR: Final = asyncssh.EXTENDED_DATA_STDERR
_CHUNK: Final = 1 << 16
_FOLLOW_HIGH: Final = 1 << 18


class _Tail:
    """The last `limit` bytes of a stream; holds at most a quarter and a chunk more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        self._bytes += data
        if len(self._bytes) > self._limit + self._limit // 4 + _CHUNK:
            self._cut()

    def text(self) -> str:
        """The kept bytes decoded and without secrets; what is not UTF-8 becomes U+FFFD."""
        self._cut()
        return KNOWN.clean(self._bytes.decode("utf-8", "replace"))

    def _cut(self) -> None:
        if len(self._bytes) > self._limit:
            del self._bytes[: len(self._bytes) - self._limit]


class Collector(asyncssh.SSHClientSession[bytes]):
    """Keeps the end of both streams of one command, hands all of them on as they come, and learns how it ended."""

    def __init__(self, limit: int, sink: OutputSink | None) -> None:
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.ended = asyncio.Event()
        self.sink_error: Exception | None = None
        self._sink = sink
        self._kept = {None: _Tail(limit), STDERR: _Tail(limit)}
        self._clean = {None: Sanitiser(), STDERR: Sanitiser()}
        self._status: int | None = None
        self._signalled = False
        self._complete = False
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def stdout(self) -> str:
        """What is kept of standard output."""
        return self._kept[None].text()

    @property
    def stderr(self) -> str:
        """What is kept of standard error."""
        return self._kept[STDERR].text()

    @property
    def status(self) -> int:
        """The exit status, -1 when none was received."""
        return -1 if self._status is None else self._status

    def end(self, *, connection_lost: bool) -> End:
        """How the command ended.

        An exit status whose output may be incomplete, because the connection died before the end of the stream,
        counts as lost. asyncssh itself reports a cut connection as a normal return without a status.
        """
        if self._signalled:
            return End.SIGNALLED
        if self._status is None or (connection_lost and not self._complete):
            return End.LOST
        return End.EXITED

    async def feed(self, stdin: bytes) -> None:
        """Write `stdin` and its end, no faster than the far side reads; stops when the command ended first."""
        assert self.channel is not None  # noqa: S101  connection_made came before create_session returned
        try:
            for start in range(0, len(stdin), _CHUNK):
                await self._writable.wait()
                self.channel.write(stdin[start : start + _CHUNK])
            self.channel.write_eof()
        except OSError:
            return  # the channel is closed for writing: the command did not want the rest

    def drop(self) -> None:
        """Close the channel at once, if it is still open."""
        if self.channel is not None and not self.ended.is_set():
            self.channel.abort()

    @override
    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    @override
    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._kept[datatype].add(data)
        self._hand_on(self._clean[datatype].feed(data))

    def _hand_on(self, text: str) -> None:
        if self._sink is None or not text or self.sink_error is not None:
            return
        try:
            self._sink(text)
        except Exception as error:  # noqa: BLE001  the caller's own sink failed: raised where it waits, not in the reader
            self.sink_error = error
            self.drop()

    @override
    def eof_received(self) -> bool:
        self._complete = True
        return False

    @override
    def exit_status_received(self, status: int) -> None:
        self._status = status

    @override
    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._signalled = True

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        for clean in self._clean.values():
            self._hand_on(clean.finish())
        self._writable.set()
        self.ended.set()


class Follower(asyncssh.SSHClientSession[bytes]):
    """Hands on standard output as it comes; reading pauses when nobody takes it. Standard error is dropped."""

    def __init__(self) -> None:
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._over = False
        self._news = asyncio.Event()

    async def chunks(self) -> AsyncIterator[str]:
        """Decoded chunks until the command or the connection ends; what is not UTF-8 is kept as surrogates."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        while True:
            while self._chunks:
                data = self._chunks.popleft()
                self._held -= len(data)
                self._resume()
                if text := decoder.decode(data):
                    yield text
            if self._over:
                break
            self._news.clear()
            await self._news.wait()
        if rest := decoder.decode(b"", final=True):
            yield rest

    def _resume(self) -> None:
        if self._paused and self.channel is not None and self._held <= _FOLLOW_HIGH // 2:
            self._paused = False
            self.channel.resume_reading()

    @override
    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    @override
    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:
            return
        self._chunks.append(data)
        self._held += len(data)
        if self._held > _FOLLOW_HIGH and not self._paused and self.channel is not None:
            self._paused = True
            self.channel.pause_reading()
        self._news.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self.channel = None
        self._news.set()
