"""The login shell of a guest, for who logs in without a command: a program on each line, edited as a terminal does."""

from __future__ import annotations

import asyncio
from codecs import getincrementaldecoder
from collections import deque
from typing import Final

import asyncssh

from pvenix_lab.site.faults import guests as faults
from pvenix_lab.site.guest.call import ProgramError
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.shell import split_command
from pvenix_lab.site.guest.streams import BytesReader, ByteWriter

GREETING: Final = "This guest is simulated: a line is one program with its arguments; no pipes, no variables.\n"
READ: Final = 4096
INTERRUPTED: Final = 130
LEAVES: Final = frozenset({"exit", "logout"})
_INTERRUPT, _END, _KILL_LINE, _ESCAPE = "\x03", "\x04", "\x15", "\x1b"
_ERASE: Final = frozenset("\x7f\b")


class LoginShellSession:
    """A shell on one channel. With a terminal it prompts and echoes; without one it reads its lines as a script."""

    def __init__(self, guest: Guest, process: asyncssh.SSHServerProcess[bytes], user: str) -> None:
        self._guest = guest
        self._process = process
        self._user = user
        self._terminal = process.term_type is not None
        self._ahead: deque[str] = deque()
        """What was typed and not read yet."""
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    async def serve(self) -> int:
        """Run lines until the person leaves; the exit status of the last one.

        Raises: ConnectionResetError as `Guest.run`, ChannelClosedError of a fault.
        """
        status = 0
        self._echo(GREETING)
        while (line := await self._line()) is not None:
            words = line.split()
            if words and words[0] in LEAVES:
                status = int(words[1]) % 256 if words[1:] and words[1].isdecimal() else status
                break
            if words:
                status = await self._program(line)
        self._echo("logout\n")
        return status

    # --- what is typed ---

    async def _line(self) -> str | None:
        """The next line without its end; None when the person leaves."""
        prompt = f"\n[{self._user}@{self._guest.hostname}:~]$ "
        self._echo(prompt)
        line = ""
        while key := await self._key():
            if key in "\r\n":
                self._echo("\n")
                return line
            if key == _END and not line:
                return None
            if key == _INTERRUPT:
                self._echo(f"^C{prompt}")
                line = ""
            elif key in _ERASE or key == _KILL_LINE:
                kept = "" if key == _KILL_LINE else line[:-1]
                self._echo("\b \b" * (len(line) - len(kept)))
                line = kept
            elif key == _ESCAPE:
                await self._skip_sequence()
            elif key.isprintable():
                self._echo(key)
                line += key
        return line or None

    async def _skip_sequence(self) -> None:
        """Pass over what an arrow or another function key sends: there is no history."""
        if await self._key() in "[O":
            while (key := await self._key()) and not "@" <= key <= "~":
                pass

    async def _key(self) -> str:
        """The next character; empty at the end."""
        while not self._ahead:
            text = await self._read()
            if not text:
                return ""
            self._ahead.extend(text)
        return self._ahead.popleft()

    async def _read(self) -> str:
        """What comes next, in one piece; empty at the end."""
        while True:
            try:
                data = await self._process.stdin.read(READ)
            except asyncssh.TerminalSizeChanged:
                continue
            except (asyncssh.Error, asyncssh.BreakReceived, asyncssh.SignalReceived):
                return ""
            text = self._decode(data, final=not data)
            if text or not data:
                return text

    # --- what runs ---

    async def _program(self, line: str) -> int:
        """Run the program of a line until it ends or is interrupted; its exit status."""
        try:
            argv = split_command(line)
        except ProgramError as error:
            self._stream(self._process.stderr).write(f"{error.text}\n".encode())
            return error.status
        async with asyncio.TaskGroup() as group:
            program = group.create_task(self._ended(argv))
            interrupt = group.create_task(self._interrupted())
            awaited = {program, interrupt} if self._terminal else {program}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            interrupt.cancel()
            program.cancel()
        if program.cancelled():
            self._echo("^C\n")
            return INTERRUPTED
        if isinstance(end := program.result(), Exception):
            raise end
        return end

    async def _ended(self, argv: tuple[str, ...]) -> int | Exception:
        """The exit status of a program, or why nothing is known of it."""
        out, err = self._stream(self._process.stdout), self._stream(self._process.stderr)
        try:
            return await self._guest.run(argv, BytesReader(), out, err, user=self._user)
        except (ConnectionResetError, faults.ChannelClosedError) as lost:
            return lost

    async def _interrupted(self) -> None:
        """Keep what is typed for the lines to come, until ctrl-c or the end."""
        while text := await self._read():
            if _INTERRUPT in text:
                self._ahead.clear()
                return
            self._ahead.extend(text)

    # --- what shows ---

    def _echo(self, text: str) -> None:
        """Show what a shell without a terminal says nothing of."""
        if self._terminal:
            self._stream(self._process.stdout).write(text.encode())

    def _stream(self, channel: asyncssh.SSHWriter[bytes]) -> ByteWriter:
        return _Terminal(self._process.stdout) if self._terminal else channel


class _Terminal:
    """Both streams of a program on a terminal, which turns a line's end into carriage return and line feed."""

    def __init__(self, channel: asyncssh.SSHWriter[bytes]) -> None:
        self._channel = channel

    def write(self, data: bytes, /) -> None:
        """Show `data`."""
        self._channel.write(data.replace(b"\n", b"\r\n"))

    async def drain(self) -> None:
        """Wait until the terminal takes more."""
        await self._channel.drain()
