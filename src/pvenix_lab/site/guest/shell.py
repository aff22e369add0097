"""The login shell's small part: split a command string, find the program, run it. There is no shell behind it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import UIDS, Call, ProgramError

if TYPE_CHECKING:
    from pvenix_lab.site.guest.call import Program

_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.DOTALL)
_META = re.compile(r"[;|&$`<>\n(){}*?\[\]~#!]")
_EXPANDS = re.compile(r"(?<!\\)[$`]")
_HARMLESS = frozenset("#~{}[]!?*()")
NOT_FOUND = 127


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


def find(call: Call) -> tuple[Program | None, str]:
    """The program of `argv[0]` and the file it was found as; None when the guest has no such program."""
    from pvenix_lab.site.guest.programs import PROGRAMS  # imported late: programs import this module

    word = call.argv[0]
    if "/" in word:
        path = call.tree.resolve(call.full(word))
        if not call.tree.exists(path) or call.tree.is_dir(path):
            return None, path
        return PROGRAMS.get(path.rpartition("/")[2]), path
    path = f"/run/current-system/sw/bin/{word}"
    if not call.tree.exists(path):
        return None, ""
    return PROGRAMS.get(word), call.tree.resolve(path)


async def execute(call: Call) -> int:
    """Run the program of `call` and return its exit status; a missing program is 127, as from the login shell."""
    if not call.argv:
        return 0
    program, path = find(call)
    if program is None:
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


async def sudo(call: Call) -> int:
    """`sudo [-n] [--] PROGRAM…`: the same program as root. Exit status 1 for sudo's own refusals (sudo 1.9)."""
    words = list(call.args)
    while words and words[0] in ("-n", "--non-interactive", "-H", "--"):
        words.pop(0)
    if not words or words[0].startswith("-"):
        raise ProgramError("usage: sudo [-n] command [arg ...]")
    if not call.guest.may_sudo(call.user):
        raise ProgramError("sudo: a password is required")
    inner = call.with_argv(tuple(words), uid=0, user="root")
    program, path = find(inner)
    if program is None:
        raise ProgramError(f"sudo: {words[0]}: command not found")
    inner.path = path
    return await program(inner)


async def env(call: Call) -> int:
    """`env NAME=VALUE… PROGRAM…`: the program with these variables added."""
    words = list(call.args)
    added: dict[str, str] = {}
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        added[name] = value
    inner = call.with_argv(tuple(words), env=call.env | added)
    program, path = find(inner) if words else (None, "")
    if program is None:
        raise ProgramError(f"env: '{words[0] if words else ''}': No such file or directory", NOT_FOUND)
    inner.path = path
    return await program(inner)


def uid_of(user: str) -> int:
    """The numeric id of a user of a guest."""
    return UIDS[user]
