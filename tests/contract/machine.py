"""A machine that runs a handful of programs over a directory, with the same `run` as a guest of the simulated site.

The SSH server of these tests and the in-memory Guest both stand in front of it, so one suite compares the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol


class ByteReader(Protocol):
    """Standard input of a program."""

    async def read(self, n: int = -1, /) -> bytes: ...


class ByteWriter(Protocol):
    """Standard output or error of a program."""

    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...


class Machine(Protocol):
    """What an in-memory Guest connects to."""

    @property
    def ssh_ready(self) -> bool:
        """True while a new connection is accepted."""
        ...

    @property
    def host_key(self) -> str:
        """The public host key, `ssh-ed25519 AAAA…`."""
        ...

    @property
    def epoch(self) -> int:
        """Changes when every connection is cut."""
        ...

    async def run(
        self, argv: Sequence[str], stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter, *, user: str
    ) -> int:
        """The exit status, or the negative number of the signal that ended the command.

        Raises: ConnectionResetError when the connection is cut under it.
        """
        ...


class ToyMachine:
    """Programs: true, false, cat, dd of=, tail -c +N [-F], id -u, sleep, kill, and sudo -n before each."""

    def __init__(self, root: Path, host_key: str) -> None:
        self.root = root
        self.host_key = host_key
        self.ssh_ready = True
        self.epoch = 0
        self.commands: list[tuple[str, ...]] = []
        self.running = 0
        self.most_running = 0
        self.busy = asyncio.Event()
        self.idle = asyncio.Event()
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """Let every connection die; what runs goes on unseen."""
        self.epoch += 1
        self._cut.set()
        self._cut = asyncio.Event()

    async def run(
        self, argv: Sequence[str], stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter, *, user: str
    ) -> int:
        """The exit status of one command, -9 for `kill`.

        Raises: ConnectionResetError after `cut`.
        """
        self.commands.append(tuple(argv))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.busy.set()
        self.idle.clear()
        job = asyncio.ensure_future(self._program(argv, stdin, stdout, stderr, user))  # noqa: TID251  raced below
        cut = asyncio.ensure_future(self._cut.wait())  # noqa: TID251  raced below
        try:
            await asyncio.wait((job, cut), return_when=asyncio.FIRST_COMPLETED)
            if not job.done():
                raise ConnectionResetError("cut")
            return job.result()
        finally:
            self.running -= 1
            if self.running == 0:
                self.busy.clear()
                self.idle.set()
            job.cancel()
            cut.cancel()

    async def _program(
        self, argv: Sequence[str], stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter, user: str
    ) -> int:
        if tuple(argv[:2]) == ("sudo", "-n"):
            return await self._program(argv[2:], stdin, stdout, stderr, "root")
        programs: dict[str, Callable[[], Awaitable[int]]] = {
            "true": lambda: _status(0),
            "false": lambda: _status(1),
            "cat": lambda: self._cat(argv[1:], stdin, stdout, stderr),
            "dd": lambda: self._dd(argv[1:], stdin),
            "tail": lambda: self._tail(argv[1:], stdout),
            "id": lambda: _say(stdout, "0\n" if user == "root" else "1000\n"),
            "sleep": lambda: _sleep(float(argv[1])),
            "kill": lambda: _status(-9),
        }
        program = programs.get(argv[0])
        if program is None:
            stderr.write(f"{argv[0]}: command not found\n".encode())
            return 127
        return await program()

    def _path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    async def _cat(self, names: Sequence[str], stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter) -> int:
        if not names:
            while data := await stdin.read(65536):
                stdout.write(data)
                await stdout.drain()
            return 0
        status = 0
        for name in names:
            if self._path(name).is_file():
                stdout.write(self._path(name).read_bytes())
                await stdout.drain()
            else:
                stderr.write(f"cat: {name}: No such file or directory\n".encode())
                status = 1
        return status

    async def _dd(self, operands: Sequence[str], stdin: ByteReader) -> int:
        name = next(operand.removeprefix("of=") for operand in operands if operand.startswith("of="))
        parts = []
        while data := await stdin.read(65536):
            parts.append(data)
        self._path(name).write_bytes(b"".join(parts))
        return 0

    async def _tail(self, options: Sequence[str], stdout: ByteWriter) -> int:
        offset = int(options[1].removeprefix("+")) - 1
        path = self._path(options[-1])
        while True:
            data = path.read_bytes()[offset:]
            offset += len(data)
            if data:
                stdout.write(data)
                await stdout.drain()
            if "-F" not in options:
                return 0
            await asyncio.sleep(0.01)


async def _status(status: int) -> int:
    return status


async def _say(stdout: ByteWriter, text: str) -> int:
    stdout.write(text.encode())
    await stdout.drain()
    return 0


async def _sleep(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return 0
