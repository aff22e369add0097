"""What runs in a session of a guest's SSH server: a command, or a login shell for who asks for none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import asyncssh

from pvenix_lab.faces.loginshell import LoginShellSession
from pvenix_lab.site.faults import guests as faults
from pvenix_lab.site.guest.call import ProgramError
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.logins import forced_words
from pvenix_lab.site.guest.shell import split_command

if TYPE_CHECKING:
    from pvenix_lab.site.guest.keys import AuthorizedKey

_LOG = logging.getLogger(__name__)


class GuestProcess:
    """Runs one session on the guest; the program dies with the channel, units and builds do not."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    async def __call__(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Handle one session."""
        try:
            async with asyncio.TaskGroup() as group:
                closed = group.create_task(process.channel.wait_closed())
                ran = group.create_task(self._run(process))
                await asyncio.wait({closed, ran}, return_when=asyncio.FIRST_COMPLETED)
                for task in (closed, ran):
                    task.cancel()
        except* (ConnectionError, asyncssh.Error, asyncssh.BreakReceived, asyncssh.SignalReceived):
            _LOG.debug("a channel of %s ended with its connection", self._guest.name)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        entry: AuthorizedKey = process.get_extra_info("lab_entry")
        user: str = process.get_extra_info("lab_user")
        try:
            if not (process.command or process.subsystem or entry.command):
                status = await LoginShellSession(self._guest, process, user).serve()
            else:
                argv, env = _command_of(process, entry.command)
                stdin = _Stdin(process.stdin)
                status = await self._guest.run(argv, stdin, process.stdout, process.stderr, user=user, env=env)
        except ProgramError as exc:
            process.stderr.write(exc.text.encode() + b"\n")
            status = exc.status
        except faults.ChannelClosedError:
            process.channel.abort()
            return
        except ConnectionResetError:
            process.channel.get_connection().abort()
            return
        process.exit(status)


class _Stdin:
    """Standard input from the channel; a signal, a break or a lost connection all mean that the client has gone."""

    def __init__(self, reader: asyncssh.SSHReader[bytes]) -> None:
        self._reader = reader

    async def read(self, n: int = -1, /) -> bytes:
        """At most `n` bytes. Raises ConnectionResetError when the client has gone."""
        while True:
            try:
                return await self._reader.read(n)
            except asyncssh.TerminalSizeChanged:
                continue
            except (asyncssh.Error, asyncssh.BreakReceived, asyncssh.SignalReceived) as exc:
                raise ConnectionResetError("the client has gone") from exc


def _command_of(process: asyncssh.SSHServerProcess[bytes], forced: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The words to run and their environment: the key's forced command, or what the client asked for.

    Raises:
        ProgramError: a subsystem, or a command that needs a shell.
    """
    if process.subsystem:
        raise ProgramError("subsystem request failed: the lab has no subsystems", 1)
    asked = process.command or ""
    if forced:
        return forced_words(forced, asked), {"SSH_ORIGINAL_COMMAND": asked}
    return split_command(asked), {}
