"""One connection to one guest, and commands on it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncssh

from pvenix.adapters.ssh.channels import Collector, Follower
from pvenix.adapters.ssh.errors import place
from pvenix.adapters.ssh.login import SshSettings
from pvenix.adapters.text import sanitise
from pvenix.engine.calls import CALLS, Channel
from pvenix.engine.ports import CommandResult, End, OutputSink, Target
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable

_OPEN_TRIES: Final = 9
_OPEN_PAUSE_S: Final = 0.01
"""Doubled each time: 2.5 s in all."""
_GONE = (OSError, asyncssh.Error)
"""What opening a channel raises on a connection that is dead."""


def remote_command(argv: Sequence[str], *, sudo: bool = False) -> str:
    """`argv` as the one line that SSH carries, quoted for a POSIX shell; the only place that quotes.

    Raises: ValueError for what cannot be a command: nothing, a NUL character, or a program named like an option.
    """
    if not argv or any("\0" in part for part in argv) or argv[0].startswith("-"):
        raise ValueError(f"not a remote command: {list(argv)!r}")
    return shlex.join(["sudo", "-n", *argv] if sudo else argv)


class SshSession:
    """A GuestSession over one asyncssh connection."""

    def __init__(self, target: Target, connection: asyncssh.SSHClientConnection, settings: SshSettings) -> None:
        self._target = target
        self._connection = connection
        self._slots = asyncio.Semaphore(settings.channels)
        self._active = 0
        self._retired = False

    @property
    def alive(self) -> bool:
        """False once the connection has ended, which a silent drop does after the keepalives."""
        return not self._connection.is_closed()

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
        """Run one command; of each stream the last `limit` bytes are kept.

        The wait for a free channel is part of `timeout_s`, not of the result's `seconds`.
        Raises: OutcomeUnknown when `timeout_s` passes, Refused when the host runs no commands; what `on_output` raises.
        """
        command = remote_command(argv, sudo=sudo)
        with CALLS.call(Channel.SSH, self._target.host, command) as call:
            done = await self._run(argv, command, stdin, timeout_s=timeout_s, on_output=on_output, limit=limit)
            call.ended(_ending(done), bad=not done.ok)
            return done

    async def _run(
        self,
        argv: Sequence[str],
        command: str,
        stdin: bytes,
        *,
        timeout_s: float,
        on_output: OutputSink | None,
        limit: int,
    ) -> CommandResult:
        collector = Collector(limit, on_output)
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout_s), self._channel_slot():
                started = asyncio.get_running_loop().time()
                try:
                    await self._execute(command, stdin, collector)
                finally:
                    collector.drop()
        except TimeoutError as error:
            raise self._timed_out(argv, timeout_s, collector) from error
        if collector.sink_error is not None:
            raise collector.sink_error
        return CommandResult(
            argv=tuple(argv),
            end=collector.end(connection_lost=not self.alive),
            exit_status=collector.status,
            stdout=collector.stdout,
            stderr=collector.stderr,
            seconds=asyncio.get_running_loop().time() - started,
        )

    async def _execute(self, command: str, stdin: bytes, collector: Collector) -> None:
        if await self._open(command, collector) is None:
            return  # no status was received: the result says LOST
        await collector.feed(stdin)
        await collector.ended.wait()

    async def _open(self, command: str, session: Collector | Follower) -> asyncssh.SSHClientChannel[bytes] | None:
        """A channel on which `command` runs, None when the connection is gone.

        OpenSSH counts a session until its process is reaped, which is after the channel's end: so a busy connection may
        be refused a channel although fewer than MaxSessions are open. Nothing was started then, and a moment later it is.
        Raises: Refused when the host runs no commands, or has no session left for seconds.
        """
        for attempt in range(_OPEN_TRIES):
            try:
                return (await self._connection.create_session(lambda: session, command, encoding=None))[0]
            except _GONE as error:
                if not self.alive or not isinstance(error, asyncssh.ChannelOpenError):
                    return None
                if session.channel is not None or attempt == _OPEN_TRIES - 1:
                    raise self._refused(error) from error
            await asyncio.sleep(_OPEN_PAUSE_S * 2**attempt)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AsyncIterator[AsyncIterator[str]]:
        """Follow a command; the iteration ends with the command or with the connection (see `alive`).

        Raises: Unreachable when the connection is dead already, Refused when the host runs no commands.
        """
        command = remote_command(argv, sudo=sudo)
        follower = Follower()
        with CALLS.call(Channel.SSH, self._target.host, command):
            async with self._followed(command, follower):
                yield follower.chunks()

    @asynccontextmanager
    async def _followed(self, command: str, follower: Follower) -> AsyncIterator[None]:
        async with self._channel_slot():
            channel = await self._open(command, follower)
            if channel is None:
                raise Unreachable(f"{place(self._target)}: the connection is gone")
            try:
                channel.write_eof()
                yield
            finally:
                channel.abort()

    @asynccontextmanager
    async def _channel_slot(self) -> AsyncIterator[None]:
        self._active += 1
        try:
            async with self._slots:
                yield
        finally:
            self._active -= 1
            self._close_if_done()

    def retire(self) -> None:
        """Close the connection as soon as no command runs on it."""
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and self._active == 0:
            self._connection.close()

    async def close(self, grace_s: float = 2.0) -> None:
        """End the connection and every command on it."""
        self._connection.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()

    def _refused(self, error: asyncssh.ChannelOpenError) -> Refused:
        return Refused(
            f"{place(self._target)} does not run the command",
            why=sanitise(str(error)),
            hint="the key may be restricted to one command, or the host has no sessions left",
            code="PVX0616",
        )

    def _timed_out(self, argv: Sequence[str], timeout_s: float, collector: Collector) -> OutcomeUnknown:
        lines = (collector.stdout + collector.stderr).splitlines()[-5:]
        return OutcomeUnknown(
            f"{place(self._target)}: no end of `{shlex.join(argv)}` after {timeout_s:g} s",
            why="it may still be running there" if collector.channel else "it was not started: no channel was free",
            evidence=tuple(sanitise(line) for line in lines),
        )


def _ending(done: CommandResult) -> str:
    if done.end is End.EXITED:
        return f"exit {done.exit_status}" if done.exit_status else "ok"
    return done.end.value
