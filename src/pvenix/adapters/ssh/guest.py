"""Connections to guests: one a host, and one a jump host for all guests behind it."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import asyncssh

from pvenix.adapters.ssh.errors import explained
from pvenix.adapters.ssh.login import SshSettings, log_in
from pvenix.adapters.ssh.session import SshSession
from pvenix.engine.calls import CALLS, Channel
from pvenix.engine.ports import Target
from pvenix.model.errors import Unreachable


class SshGuest:
    """The Guest of a real fleet. Belongs to one event loop; `close` ends every connection."""

    def __init__(self, settings: SshSettings | None = None) -> None:
        self._settings = settings or SshSettings()
        self._logins = asyncio.Semaphore(self._settings.logins)
        self._locks: defaultdict[Target, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: dict[Target, SshSession] = {}
        self._retired: list[SshSession] = []
        self._jumps: dict[Target, asyncssh.SSHClientConnection] = {}

    async def session(self, target: Target) -> SshSession:
        """The held connection to `target`, opened when there is none that is alive.

        Raises: Unreachable, Refused, LocalResource.
        """
        async with self._locks[target]:
            held = self._held.get(target)
            return held if held is not None and held.alive else await self._replace(target)

    async def fresh_session(self, target: Target) -> SshSession:
        """A new TCP connection and login. The held connection stays until its commands have ended.

        Raises: Unreachable, Refused, LocalResource.
        """
        async with self._locks[target]:
            return await self._replace(target)

    async def _replace(self, target: Target) -> SshSession:
        connection = await self._connect(target)
        session = SshSession(target, connection, self._settings)
        old = self._held.get(target)
        self._held[target] = session
        self._retired = [other for other in self._retired if other.alive]
        if old is not None:
            old.retire()
            self._retired.append(old)
        return session

    async def _connect(self, target: Target) -> asyncssh.SSHClientConnection:
        tunnel = await self._jump(target.jump) if target.jump else None
        async with self._logins:
            with CALLS.call(Channel.SSH, target.host, f"login {target.user}@{target.address}:{target.port}"):
                return await log_in(target, tunnel, self._settings)

    async def _jump(self, jump: Target) -> asyncssh.SSHClientConnection:
        async with self._locks[jump]:
            connection = self._jumps.get(jump)
            if connection is None or connection.is_closed():
                connection = self._jumps[jump] = await self._connect(jump)
            return connection

    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        """Seconds from the first packet to the SSH greeting, None when none came.

        Raises: Refused when the jump host on the way is not accepted or does not accept us.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                tunnel = await self._jump(target.jump) if target.jump else None
                started = loop.time()
                return loop.time() - started if await _greets(target, tunnel) else None
        except (OSError, Unreachable):
            return None
        except asyncssh.Error as error:
            problem = explained(target, error)
            if isinstance(problem, Unreachable):
                return None
            raise problem from error

    async def close(self) -> None:
        """End every connection, guests before the jump hosts that carry them."""
        async with asyncio.TaskGroup() as group:
            for session in (*self._held.values(), *self._retired):
                group.create_task(session.close())
        for connection in self._jumps.values():
            connection.abort()
        for connection in self._jumps.values():
            await connection.wait_closed()
        self._held.clear()
        self._retired.clear()
        self._jumps.clear()


async def _greets(target: Target, tunnel: asyncssh.SSHClientConnection | None) -> bool:
    """True when an SSH server answers on the port of `target`."""
    writer: asyncio.StreamWriter | asyncssh.SSHWriter[bytes]
    reader: asyncio.StreamReader | asyncssh.SSHReader[bytes]
    if tunnel is None:
        reader, writer = await asyncio.open_connection(target.address, target.port)
    else:
        reader, writer = await tunnel.open_connection(target.address, target.port)
    try:
        return b"SSH-" in await reader.read(255)
    finally:
        writer.close()
