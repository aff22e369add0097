"""The port to guests: argv on a host, files in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pvenix.engine.ports.output import OutputSink

KEY_CHANGED = "PVX0611"
"""Code of the Refused that says that the guest shows another host key than the pinned one."""
KEY_REFUSED = "PVX0612"
"""Code of the Refused that says that the guest does not accept our key."""


class End(StrEnum):
    """How a remote command ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    LOST = "lost"
    """The connection went away first: nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """The end of a remote command; `exit_status` says something only when `end` is EXITED."""

    argv: tuple[str, ...]
    end: End
    exit_status: int
    stdout: str
    """Decoded, unsanitised, at most the limit asked for."""
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """True only for an exit status of 0 that was received."""
        return self.end is End.EXITED and self.exit_status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a guest is and who it must prove to be."""

    host: str
    address: str
    port: int
    user: str
    host_key: str
    """The pinned public key, `ssh-ed25519 AAAA…`."""
    key_file: str
    jump: Target | None = None
    pinned_in: str = ""
    """Where a person wrote `host_key` down; empty for a guest, whose key `boot` pins."""


def bytes_in(chunk: str) -> int:
    """How many bytes of the far side a chunk of `GuestSession.stream` stands for."""
    return len(chunk.encode("utf-8", "surrogateescape"))


class GuestSession(Protocol):
    """One authenticated connection to a guest; commands on it run in parallel channels."""

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
        """Run one command; never raises for its exit status or a lost connection.

        `on_output` receives both streams as they come, sanitised. `limit` bounds what is kept of each stream.
        Raises: OutcomeUnknown when `timeout_s` passes.
        """
        ...

    def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Chunks of a command's standard output, raw; leaving the context ends the command.

        A byte that is not UTF-8 is a lone surrogate (PEP 383), so that `bytes_in` knows how many there were.
        """
        ...

    @property
    def alive(self) -> bool:
        """False once the connection is known to be gone."""
        ...


class Guest(Protocol):
    """Connections to guests."""

    async def session(self, target: Target) -> GuestSession:
        """The run's one connection to `target`, opened at first use or after it died.

        Raises: Unreachable, Refused (host key, authentication).
        """
        ...

    async def fresh_session(self, target: Target) -> GuestSession:
        """A new connection, whatever is open; the caller's proof that the host can be reached. Replaces the held one.

        Raises: Unreachable, Refused.
        """
        ...

    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        """Seconds until `target` answered on its SSH port, None when it did not."""
        ...

    async def close(self) -> None:
        """End every connection."""
        ...
