"""The login shell's small part: split a command string, find the program, run it. There is no shell behind it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import fields

from pvenix_lab.site.guest.call import Call, Program, ProgramError
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.process import NOT_FOUND, UIDS, Process

_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.DOTALL)
_META = re.compile(r"[;|&$`<>\n(){}*?\[\]~#!]")
_EXPANDS = re.compile(r"(?<!\\)[$`]")
_ENV_FAILED = 125
_NO_PROGRAM = 126
_HARMLESS = frozenset("#~{}[]!?*()")


def split_command(command: str) -> tuple[str, ...]:
    """The words of a command string.

    Raises:
        ProgramError: 127 for anything that would need a shell (`;`, `|`, `&`, `$`, backquote, `<`, `>`, newline), 2 for an
            open quote.
    """
    bare = _QUOTED.sub("", command)
    expanding = any(_EXPANDS.search(q) for q in _QUOTED.findall(command) if q.startswith('"'))
    found = next((m for m in _META.findall(bare) if m not in _HARMLESS), "$" if expanding else "")
    if found:
        shown = "newline" if found == "\n" else found
        raise ProgramError(f"bash: the lab has no shell: '{shown}' outside quotes is refused", NOT_FOUND)
    try:
        return tuple(shlex.split(command))
    except ValueError as exc:
        raise ProgramError(f"bash: -c: line 1: unexpected EOF while looking for matching quote ({exc})", 2) from exc


class LoginShell:
    """The programs of one guest: `table` by name, a file of the guest's tree behind each (faces and units start them here)."""

    def __init__(self, guest: Guest, table: Mapping[str, Program]) -> None:
        self._guest = guest
        self._table = table

    def has(self, process: Process) -> bool:
        """True if the guest has the program."""
        return self._find(self._call(process))[0] is not None

    async def execute(self, process: Process) -> int:
        """Run the program and return its exit status; a missing program is 127, as from the login shell."""
        if not process.argv:
            return 0
        call = self._call(process)
        program, path = self._find(call)
        if program is None:
            if path and call.tree.exists(path) and not _executable(call, path):
                what = "Is a directory" if call.tree.is_dir(path) else "Permission denied"
                call.err(f"bash: line 1: {call.argv[0]}: {what}")
                return _NO_PROGRAM
            text = "No such file or directory" if "/" in call.argv[0] else "command not found"
            call.err(f"bash: line 1: {call.argv[0]}: {text}")
            return NOT_FOUND
        call.path = path
        try:
            return await program(call)
        except ProgramError as exc:
            if exc.text:
                call.err(exc.text)
            return exc.status

    def _call(self, process: Process) -> Call:
        if isinstance(process, Call):
            return process
        given = {item.name: getattr(process, item.name) for item in fields(process)}
        return Call(guest=self._guest, **given)

    def _find(self, call: Call) -> tuple[Program | None, str]:
        """The program of `argv[0]` and the file it was found as; None when the guest has no such program."""
        word = call.argv[0]
        if "/" in word:
            path = call.tree.resolve(call.full(word))
            if not _executable(call, path):
                return None, path
            return self._table.get(path.rpartition("/")[2]), path
        path = f"/run/current-system/sw/bin/{word}"
        if not call.tree.exists(path):
            return None, ""
        return self._table.get(word), call.tree.resolve(path)


_SUDO_USAGE = """\
usage: sudo -h | -K | -k | -V
usage: sudo [-n] [-H] [-u user] [command [arg ...]]"""


def _executable(call: Call, path: str) -> bool:
    return call.tree.exists(path) and not call.tree.is_dir(path) and bool(call.tree.stat(path).st_mode & 0o111)


async def sudo(call: Call) -> int:
    """`sudo [-n] [--] PROGRAM…`: the same program as root. Exit status 1 for sudo's own refusals (sudo 1.9)."""
    words = list(call.args)
    user = "root"
    while words and words[0] in ("-n", "--non-interactive", "-H", "--", "-u"):
        if words.pop(0) == "-u" and words:
            user = words.pop(0)
    if user not in UIDS:
        raise ProgramError(f"sudo: unknown user {user}\nsudo: error initializing audit plugin sudoers_audit")
    if not words or words[0].startswith("-"):
        wrong = f"sudo: unrecognized option '{words[0]}'\n" if words and words[0].startswith("--") else ""
        raise ProgramError(f"{wrong}{_SUDO_USAGE}")
    if not call.guest.may_sudo(call.user):
        raise ProgramError("sudo: a password is required")
    inner = call.with_argv(tuple(words), uid=UIDS[user], user=user)
    if not call.guest.shell.has(inner):
        raise ProgramError(f"sudo: {words[0]}: command not found")
    return await call.guest.shell.execute(inner)


async def env(call: Call) -> int:
    """`env NAME=VALUE… PROGRAM…`: the program with these variables added."""
    words = list(call.args)
    added: dict[str, str] = {}
    if words and words[0].startswith("--"):
        raise ProgramError(
            f"env: unrecognized option '{words[0]}'\nTry 'env --help' for more information.", _ENV_FAILED
        )
    cleared = words[:1] == ["-i"]
    if cleared:
        words.pop(0)
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        added[name] = value
    kept = ({} if cleared else call.env) | added
    inner = call.with_argv(tuple(words), env=kept)
    if not words:
        call.out("".join(f"{name}={value}\n" for name, value in kept.items()))
        return 0
    if not call.guest.shell.has(inner):
        raise ProgramError(f"env: '{words[0]}': No such file or directory", NOT_FOUND)
    return await call.guest.shell.execute(inner)
