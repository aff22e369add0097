"""Guest and GuestSession without a socket: connections are objects, commands go straight to a machine's `run`.

Passes the same suite as the SSH adapter; the simulated fleet of tests/sim uses it over the guests of the lab's site.
Not modelled: client keys and jump hosts (a target that has one is reached as if directly).
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from pvenix.adapters.text import Sanitiser, sanitise
from pvenix.engine.ports import CommandResult, End, OutputSink, Target
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable
from tests.contract.machine import Machine

FindMachine = Callable[[Target], Machine | None]


class _Input:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int = -1, /) -> bytes:
        size = len(self._data) if n < 0 else n
        taken, self._data = self._data[:size], self._data[size:]
        return taken


class _Output:
    def __init__(self, limit: int, sink: OutputSink | None) -> None:
        self._limit = limit
        self._sink = sink
        self._clean = Sanitiser()
        self._kept = b""

    def write(self, data: bytes, /) -> None:
        self._kept = (self._kept + data)[-self._limit :]
        self._hand_on(self._clean.feed(data))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def finish(self) -> str:
        self._hand_on(self._clean.finish())
        return self._kept.decode("utf-8", "replace")

    def _hand_on(self, text: str) -> None:
        if self._sink is not None and text:
            self._sink(text)


class _Pipe:
    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=64)
        self._decoded = ""

    def write(self, data: bytes, /) -> None:
        self._decoded += data.decode("utf-8", "replace")

    async def drain(self) -> None:
        await self.flush()

    async def flush(self) -> None:
        if self._decoded:
            text, self._decoded = self._decoded, ""
            await self._chunks.put(text.encode())

    async def close(self) -> None:
        await self.flush()
        await self._chunks.put(b"")

    async def chunks(self) -> AsyncIterator[str]:
        while data := await self._chunks.get():
            yield data.decode()


class _Nowhere:
    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...


class MemorySession:
    """One connection: dead for good once its machine cut it."""

    def __init__(self, target: Target, machine: Machine) -> None:
        self._target = target
        self._machine = machine
        self._epoch = machine.epoch

    @property
    def alive(self) -> bool:
        return self._machine.epoch == self._epoch

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
        loop = asyncio.get_running_loop()
        started = loop.time()
        stdout, stderr = _Output(limit, on_output), _Output(limit, on_output)
        status: int | None = None
        if self.alive:
            try:
                async with asyncio.timeout(timeout_s):
                    status = await self._machine.run(
                        _command(argv, sudo=sudo), _Input(stdin), stdout, stderr, user=self._target.user
                    )
            except TimeoutError as error:
                lines = (stdout.finish() + stderr.finish()).splitlines()[-5:]
                raise OutcomeUnknown(
                    f"{self._target.host}: no end of `{shlex.join(argv)}` after {timeout_s:g} s",
                    evidence=tuple(sanitise(line) for line in lines),
                ) from error
            except ConnectionResetError:
                status = None
        return CommandResult(
            argv=tuple(argv),
            end=End.LOST if status is None else End.EXITED,
            exit_status=-1 if status is None else status,
            stdout=stdout.finish(),
            stderr=stderr.finish(),
            seconds=loop.time() - started,
        )

    @asynccontextmanager
    async def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AsyncIterator[AsyncIterator[str]]:
        if not self.alive:
            raise Unreachable(f"{self._target.host}: the connection is gone")
        pipe = _Pipe()

        async def follow() -> None:
            with suppress(ConnectionResetError):  # the iteration ends; the caller asks `alive`
                await self._machine.run(
                    _command(argv, sudo=sudo), _Input(b""), pipe, _Nowhere(), user=self._target.user
                )
            await pipe.close()

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
        self._held: dict[Target, MemorySession] = {}

    async def session(self, target: Target) -> MemorySession:
        held = self._held.get(target)
        return held if held is not None and held.alive else await self.fresh_session(target)

    async def fresh_session(self, target: Target) -> MemorySession:
        machine = self._find(target)
        if machine is None or not machine.ssh_ready:
            raise Unreachable(f"{target.host} cannot be reached")
        if not target.host_key.strip():
            raise Refused(f"{target.host} has no pinned host key", code="PVX0613")
        if target.host_key.split()[:2] != machine.host_key.split()[:2]:
            raise Refused(f"{target.host} did not prove to be {target.host}", code="PVX0611")
        await asyncio.sleep(0)
        session = self._held[target] = MemorySession(target, machine)
        return session

    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        machine = self._find(target)
        return 0.0 if machine is not None and machine.ssh_ready else None

    async def close(self) -> None:
        self._held.clear()


def _command(argv: Sequence[str], *, sudo: bool) -> list[str]:
    return ["sudo", "-n", *argv] if sudo else list(argv)
