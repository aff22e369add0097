"""Commands on one guest for one step: shown before they are sent, judged when they end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pvenix.engine.ports import CommandResult, End, GuestSession
from pvenix.engine.step import Step
from pvenix.model.errors import OutcomeUnknown, RemoteFailure

_TAIL = 12
"""How many last lines an error shows."""
_WHOLE = 1 << 20
"""Bytes; of longer output a session keeps the end only."""


def as_text(argv: Sequence[str], *, sudo: bool = False) -> str:
    """A command as a person would type it."""
    return shlex.join(["sudo", "-n", *argv] if sudo else argv)


@dataclass(slots=True, kw_only=True)
class Remote:
    """A guest's session, bound to the step that uses it."""

    session: GuestSession
    step: Step
    channel: str = "ssh"
    """Over what it is reached, as its commands are shown: `ssh` or `agent`."""

    async def read(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60) -> str:
        """Standard output of a command that changes nothing.

        Raises: RemoteFailure when it exits with another status than 0, OutcomeUnknown when the connection is lost.
        """
        return must(await self._run(argv, sudo=sudo, timeout_s=timeout_s))

    async def try_read(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60) -> CommandResult:
        """The end of a command that changes nothing, whatever its exit status.

        Raises: OutcomeUnknown when the connection is lost.
        """
        return received(await self._run(argv, sudo=sudo, timeout_s=timeout_s))

    async def write(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60, show_output: bool = True
    ) -> str:
        """Run a command that changes the guest, as root; returns its standard output.

        Raises: RemoteFailure when it exits with another status than 0, OutcomeUnknown when the connection is lost.
        """
        return must(await self.try_write(argv, stdin=stdin, timeout_s=timeout_s, show_output=show_output))

    async def try_write(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60, show_output: bool = True
    ) -> CommandResult:
        """The end of a command that changes the guest, as root; the caller judges it."""
        self.step.sends(self.channel, as_text(argv, sudo=True))
        return await self.session.run(
            argv,
            sudo=True,
            stdin=stdin,
            timeout_s=timeout_s,
            on_output=self.step.output if show_output else None,
        )

    async def _run(self, argv: Sequence[str], *, sudo: bool, timeout_s: float) -> CommandResult:
        self.step.asks(self.channel, as_text(argv, sudo=sudo))
        return await self.session.run(argv, sudo=sudo, timeout_s=timeout_s)


def received(result: CommandResult) -> CommandResult:
    """`result`, if it says anything.

    Raises: OutcomeUnknown when the connection went away first.
    """
    if result.end is End.LOST:
        raise OutcomeUnknown(
            "the connection was lost", why=f"while `{shlex.join(result.argv)}` ran", evidence=last_lines(result)
        )
    return result


def must(result: CommandResult) -> str:
    """Standard output of a command that ended well.

    Raises: RemoteFailure, OutcomeUnknown.
    """
    if received(result).ok:
        return result.stdout
    ended = f"exit status {result.exit_status}" if result.end is End.EXITED else "a signal"
    lines = last_lines(result)
    why = f"{lines[-1]} ({ended})" if lines else ended
    raise RemoteFailure(f"`{shlex.join(result.argv)}` failed", why=why, evidence=lines, code="PVX0601")


async def text_of(remote: Remote, path: str) -> str:
    """The text of one of root's files, all of it; empty when there is no such file.

    Raises: RemoteFailure when it cannot be read whole, OutcomeUnknown when the connection is lost.
    """
    there = await remote.try_read(("test", "-e", path), sudo=True)
    if there.end is End.EXITED and there.exit_status == 1:
        return ""
    must(there)
    text = await remote.read(("cat", path), sudo=True)
    if len(text.encode()) >= _WHOLE:
        raise RemoteFailure(f"{path} on {remote.step.host} is too long to be rewritten", why=f"{_WHOLE} bytes or more")
    return text


def last_lines(result: CommandResult) -> tuple[str, ...]:
    """The last lines of standard error, or of standard output when there is none."""
    text = result.stderr if result.stderr.strip() else result.stdout
    return tuple(line for line in text.splitlines() if line.strip())[-_TAIL:]
