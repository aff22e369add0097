"""A program about to run on a guest, and what is needed to run it. Nothing here knows the guest or its programs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Protocol

from pvenix_lab.site.guest.streams import ByteReader, ByteWriter
from pvenix_lab.site.guest.vfs import VirtualRoot

UIDS = {"root": 0, "tappaas": 1000, "git": 998}
NOT_FOUND = 127


@dataclass(slots=True, kw_only=True)
class Process:
    """Arguments, streams and user of one program. `argv[0]` is as typed."""

    argv: tuple[str, ...]
    stdin: ByteReader
    stdout: ByteWriter
    stderr: ByteWriter
    user: str
    uid: int
    cwd: str = "/"
    env: dict[str, str] = field(default_factory=dict)


class Shell(Protocol):
    """Finds and runs the programs of one guest."""

    def has(self, process: Process) -> bool:
        """True if the guest has the program."""

    async def execute(self, process: Process) -> int:
        """Run the program and return its exit status, 127 for one that the guest does not have."""


class Machine(Protocol):
    """What runs programs needs this much of a guest."""

    tree: VirtualRoot

    @property
    def shell(self) -> Shell:
        """The guest's programs."""

    def spawn(self, job: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Run `job` until it ends or the guest goes off."""
