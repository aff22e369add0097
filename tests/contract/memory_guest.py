"""Guest and GuestSession without a socket: connections are objects, commands go straight to a machine's `run`.

Passes the same suite as the SSH adapter; the simulated fleet of tests/sim uses it over the guests of the lab's site.
Not modelled: client keys and jump hosts (a target that has one is reached as if directly).
"""

from __future__ import annotations

import asyncio
import codecs
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from pvenix.adapters.ssh.session import remote_command
from pvenix.adapters.text import Sanitiser, sanitise
from pvenix.engine.ports import CommandResult, End, OutputSink, Target
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable
from tests.contract.machine import ByteWriter, Machine

FindMachine = Callable[[Target], Machine | None]


class _Input:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int = -1, /) -> bytes:
        size = len(self._data) if n < 0 else n
        taken, self._data = self._data[:size], self._data[size:]
        return taken


class _Output:
    """`broken` is called when the sink failed, and `error` is how."""

    def __init__(self, limit: int, sink: OutputSink | None) -> None:
        self._limit = limit
        self._sink = sink
        self._clean = Sanitiser()
        self._kept = b""
        self.error: Exception | None = None
        self.broken: Callable[[], None] = lambda: None

    def write(self, data: bytes, /) -> None:
        self._kept += data
        self._kept = self._kept[max(0, len(self._kept) - self._limit) :]
        self._hand_on(self._clean.feed(data))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def finish(self) -> str:
        self._hand_on(self._clean.finish())
        return self._kept.decode("utf-8", "replace")

    def _hand_on(self, text: str) -> None:
        if self._sink is None or not text or self.error is not None:
            return
        try:
            self._sink(text)
        except Exception as error:  # noqa: BLE001 - the caller's own sink failed: raised where it waits, not in the machine
            self.error = error
            self.broken()


class _Pipe:
    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=64)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoded = ""

    def write(self, data: bytes, /) -> None:
        self._decoded += self._decoder.decode(data)

    async def drain(self) -> None:
        await self.flush()

    async def flush(self) -> None:
        if self._decoded:
            text, self._decoded = self._decoded, ""
            await self._chunks.put(text.encode())

    async def close(self) -> None:
        self._decoded += self._decoder.decode(b"", final=True)
        await self.flush()
        await self._chunks.put(b"")

    async def chunks(self) -> AsyncIterator[str]:
        while data := await self._chunks.get():
            yield data.decode()


class _Nowhere:
    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...


class MemorySession:
    """One connection: dead for good once its machine cut it or it was closed."""

    def __init__(self, target: Target, machine: Machine) -> None:
        self._target = target
        self._machine = machine
        self._epoch = machine.epoch
        self._closed = False
        self._retired = False
        self._running: set[asyncio.Timeout] = set()

    @property
    def alive(self) -> bool:
        return self._machine.epoch == self._epoch and not self._closed

    def close(self) -> None:
        """End the connection and every command on it."""
        self._closed = True
        for limit in self._running:
            limit.reschedule(0)

    def retire(self) -> None:
        """Close the connection as soon as no command runs on it."""
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and not self._running:
            self.close()

    async def _on_machine(
        self, argv: Sequence[str], sudo: bool, streams: tuple[_Input, ByteWriter, ByteWriter], limit: asyncio.Timeout
    ) -> int | None:
        """The command's status, None when the connection ended first.

        Raises: TimeoutError at `limit`.
        """
        command = ["sudo", "-n", *argv] if sudo else list(argv)
        try:
            async with limit:
                self._running.add(limit)
                return await self._machine.run(command, *streams, user=self._target.user)
        except ConnectionResetError:
            return None
        except TimeoutError:
            if self._closed:
                return None
            raise
        finally:
            self._running.discard(limit)
            self._close_if_done()

    async def run(
        self,
        argv: Sequence[str],
        *,
        sudo: bool = False,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        on_output: OutputSink | None = None,
        limit: int = 1 << 20,
    ) -> CommandResult:
        remote_command(argv)
        loop = asyncio.get_running_loop()
        started = loop.time()
        stdout, stderr = _Output(limit, on_output), _Output(limit, on_output)
        until = asyncio.timeout(timeout_s)
        stdout.broken = stderr.broken = lambda: until.reschedule(0)
        status: int | None = None
        if self.alive:
            try:
                status = await self._on_machine(argv, sudo, (_Input(stdin), stdout, stderr), until)
            except TimeoutError as error:
                if sink_error := stdout.error or stderr.error:
                    raise sink_error from None
                lines = (stdout.finish() + stderr.finish()).splitlines()[-5:]
                raise OutcomeUnknown(
                    f"{self._target.host}: no end of `{shlex.join(argv)}` after {timeout_s:g} s",
                    evidence=tuple(sanitise(line) for line in lines),
                ) from error
        if sink_error := stdout.error or stderr.error:
            raise sink_error
        return CommandResult(
            argv=tuple(argv),
            end=End.LOST if status is None else End.SIGNALLED if status < 0 else End.EXITED,
            exit_status=-1 if status is None else max(status, -1),
            stdout=stdout.finish(),
            stderr=stderr.finish(),
            seconds=loop.time() - started,
        )

    @asynccontextmanager
    async def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AsyncIterator[AsyncIterator[str]]:
        remote_command(argv)
        if not self.alive:
            raise Unreachable(f"{self._target.host}: the connection is gone")
        pipe = _Pipe()

        async def follow() -> None:
            await self._on_machine(argv, sudo, (_Input(b""), pipe, _Nowhere()), asyncio.timeout(None))
            await pipe.close()  # the iteration ends; the caller asks `alive`

        async with asyncio.TaskGroup() as group:
            task = group.create_task(follow())
            try:
                yield pipe.chunks()
            finally:
                task.cancel()


class MemoryGuest:
    """Connections to machines that `find` knows by their target."""

    def __init__(self, find: FindMachine) -> None:
        self._find = find
        self.opened = 0
        self._held: dict[Target, MemorySession] = {}
        self._sessions: list[MemorySession] = []

    async def session(self, target: Target) -> MemorySession:
        held = self._held.get(target)
        return held if held is not None and held.alive else await self.fresh_session(target)

    async def fresh_session(self, target: Target) -> MemorySession:
        if len(target.host_key.split()) < 2 or not target.host_key.split()[1].startswith("AAAA"):
            raise Refused(f"{target.host} has no pinned host key", code="PVX0613")
        machine = self._find(target)
        if machine is None or not machine.ssh_ready:
            raise Unreachable(f"{target.host} cannot be reached")
        if target.host_key.split()[:2] != machine.host_key.split()[:2]:
            raise Refused(f"{target.host} did not prove to be {target.host}", code="PVX0611")
        self.opened += 1
        old = self._held.get(target)
        session = self._held[target] = MemorySession(target, machine)
        self._sessions = [other for other in (*self._sessions, session) if other.alive]
        if old is not None:
            old.retire()
        await asyncio.sleep(0)
        return session

    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        machine = self._find(target)
        return 0.0 if machine is not None and machine.ssh_ready else None

    async def close(self) -> None:
        for session in self._sessions:
            session.close()
        self._held.clear()
