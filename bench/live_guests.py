"""The guests of bench/tui_live.py: an SSH server in a process of its own, whose commands print numbered lines.

`python -m bench.live_guests FOLDER RATE HOST...` writes the operator's key to FOLDER/key and prints port and host key as
JSON. A command is the name of a host; once each host has one, they print RATE lines a second in sum until a line comes
on stdin. Then the commands end, what each host printed is told as JSON, and the server goes when its stdin is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncssh
from typing_extensions import override

LOOPBACK = "127.0.0.1"
CHUNK = 10
"""Lines that a host prints at a time."""
BEAT_S = 0.005
"""Seconds between two looks at what is due."""


class Output:
    """The lines of all hosts, at a steady rate in sum; numbered, so that a missing or a broken one shows."""

    def __init__(self, hosts: Sequence[str], rate: int) -> None:
        self.lines = dict.fromkeys(hosts, 0)
        """How many lines each host has printed."""
        self._hosts = tuple(hosts)
        self._rate = rate
        self._written = 0
        self._words = random.Random(1)  # the same words each time

    def due(self, past_s: float) -> Iterator[tuple[str, str]]:
        """Host and text of each chunk that has to be printed until `past_s` seconds have passed, in turn."""
        while self._written < past_s * self._rate:
            host = self._hosts[self._written // CHUNK % len(self._hosts)]
            self._written += CHUNK
            yield host, self._chunk(host)

    def _chunk(self, host: str) -> str:
        first = self.lines[host]
        self.lines[host] = first + CHUNK
        return "".join(f"{number:07} {host} {self._said()}\n" for number in range(first, first + CHUNK))

    def _said(self) -> str:
        digest = self._words.getrandbits(128)
        return f"copying path '/nix/store/{digest:032x}-glibc-2.40' from 'https://cache'"


class Login(asyncssh.SSHServer):
    """Who has the key may log in."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._key = key

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key == self._key


class Guests:
    """The commands that run, by host."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._commands: dict[str, asyncssh.SSHServerProcess[str]] = {}
        self._complete = asyncio.Event()
        self._over = asyncio.Event()

    async def command(self, process: asyncssh.SSHServerProcess[str]) -> None:
        """One command, from its start to its end."""
        self._commands[(process.command or "").strip("'")] = process
        if len(self._commands) == len(self._output.lines):
            self._complete.set()
        await self._over.wait()
        await process.stdout.drain()
        process.exit(0)

    async def print_until(self, told: asyncio.Event) -> None:
        """Print on all of them until told to stop."""
        await self._complete.wait()
        began = time.monotonic()
        while not told.is_set():
            for host, text in self._output.due(time.monotonic() - began):
                self._commands[host].stdout.write(text)
            await asyncio.sleep(BEAT_S)
        self._over.set()


async def serve(folder: Path, output: Output) -> None:
    """Serve until stdin is closed."""
    host_key, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key.write_private_key(str(folder / "key"))
    (folder / "key").chmod(0o600)
    guests, told = Guests(output), asyncio.Event()
    public = key.convert_to_public()
    acceptor = await asyncssh.listen(
        LOOPBACK, 0, server_factory=lambda: Login(public), server_host_keys=[host_key], process_factory=guests.command,
        backlog=len(output.lines), config=None,
    )  # fmt: skip
    tell({"port": acceptor.get_port(), "host_key": host_key.export_public_key().decode().strip()})
    asyncio.get_running_loop().add_reader(sys.stdin, told.set)
    await guests.print_until(told)
    asyncio.get_running_loop().remove_reader(sys.stdin)
    sys.stdin.readline()
    tell(output.lines)
    await asyncio.to_thread(sys.stdin.read)


def tell(document: object) -> None:
    """A line of JSON on stdout."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Output(sys.argv[3:], int(sys.argv[2]))))
    os._exit(0)  # 200 connections need not be closed one by one
