"""flock and lslocks of util-linux 2.39 on a file or directory, and the one edit of GNU sed 4.9 that is made under it: lines taken out of a file."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from weakref import WeakKeyDictionary

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason
from pvenix_lab.site.guest.guest import Guest

_LOCKS: WeakKeyDictionary[Guest, defaultdict[str, asyncio.Lock]] = WeakKeyDictionary()
_CONFLICT = 1
_USAGE = 64
_NO_INPUT = 66
"""EX_NOINPUT, as flock says of a lock that it cannot open."""
_NOT_RUNNABLE = 69
"""EX_UNAVAILABLE, as flock says of a program that it cannot start."""
_SED_FAILED = 4
_DELETE = re.compile(r"\\(?P<mark>[^\n\\])(?P<regex>.*)(?P=mark)d|/(?P<plain>.*)/d")
_OPEN_CLASS = re.compile(r"\[\^?\]?[^]]*$")
"""A bracket expression that does not end takes the delimiter for one of its characters."""
_LITERAL = re.compile(r"[+?(){}|]")
"""What a basic regular expression takes as it stands."""


async def flock(call: Call) -> int:
    """`flock [-w SECONDS] PATH PROGRAM…`: the program's status, 1 when the lock is not had in time."""
    options = parse_options(call, values=("-w",), stop_early=True, usage=_USAGE)
    words = options.rest
    patience = _seconds(options.value("-w")) if "-w" in options.values else None
    if not words:
        if call.args:
            raise ProgramError("flock: requires file descriptor, file or directory", _USAGE)
        raise ProgramError("flock: not enough arguments\nTry 'flock --help' for more information.", _USAGE)
    if len(words) == 1:
        raise ProgramError(f"flock: bad file descriptor: '{words[0]}'", _USAGE)
    path = _opened(call, words[0])
    inner = call.with_argv(words[1:])
    if not call.guest.shell.has(inner):
        raise ProgramError(f"flock: failed to execute {words[1]}: No such file or directory", _NOT_RUNNABLE)
    lock = _LOCKS.setdefault(call.guest, defaultdict(asyncio.Lock))[path]
    try:
        async with asyncio.timeout(patience):
            await lock.acquire()
    except TimeoutError:
        return _CONFLICT
    try:
        return await call.guest.shell.execute(inner)
    finally:
        lock.release()


async def lslocks(call: Call) -> int:
    """`lslocks --noheadings --raw --output PATH`: the files that somebody holds a lock of, to root (util-linux)."""
    options = parse_options(call, flags=("-n", "--noheadings", "-r", "--raw"), values=("-o", "--output"))
    if (options.value("-o") or options.value("--output")) != "PATH" or not options.has("-n", "--noheadings"):
        raise ProgramError("lslocks: the lab's shows PATH without headings")
    guest = call.guest
    held = [path for path, lock in _LOCKS.get(guest, {}).items() if lock.locked()]
    if guest.activation_lock.locked() or guest.site.faults.peek("switch-locked", guest.name):
        held.append("/run/nixos/switch-to-configuration.lock")
    for path in sorted(held) if call.uid == 0 else ():
        call.out(f"{path}\n")
    return 0


def _seconds(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ProgramError(f"flock: invalid timeout value: '{word}'", _USAGE) from None


def _opened(call: Call, word: str) -> str:
    """What the lock is held on, made when it is not there."""
    path = call.full(word)
    try:
        if call.tree.exists(path):
            call.tree.check_read(path, call.uid)
        else:
            call.tree.check_write(path, call.uid)
            call.tree.write(path, b"", mode=0o644)
        return call.tree.resolve(path)
    except OSError as exc:
        raise ProgramError(f"flock: cannot open lock file {word}: {reason(exc)}", _NO_INPUT) from exc


async def sed(call: Call) -> int:
    r"""`sed -i -e '\%REGEX%d' FILE` or `'/REGEX/d'`: the lines that match are taken out; mode and owner of the file stay."""
    options = parse_options(call, flags=("-i",), values=("-e",))
    if "-e" not in options.values and not options.rest:
        raise ProgramError("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...")
    pattern = _pattern(options.value("-e"), shown=" ".join(call.args))
    if not options.has("-i") or len(options.rest) > 1:
        raise ProgramError(f"sed: the lab knows only the deletion of lines in place, not {' '.join(call.args)!r}")
    if not options.rest:
        raise ProgramError("sed: no input files", _SED_FAILED)
    path = options.rest[0]
    full = call.full(path)
    call.mutates()
    try:
        call.tree.check_read(full, call.uid)
        mode = call.tree.stat(full).st_mode & 0o7777
        if call.tree.is_dir(full):
            raise ProgramError(f"sed: couldn't edit {path}: not a regular file", _SED_FAILED)
        lines = call.tree.read(full).decode(errors="surrogateescape").splitlines(keepends=True)
    except OSError as exc:
        raise ProgramError(f"sed: can't read {path}: {reason(exc)}", 2) from exc
    try:
        call.tree.check_write(full, call.uid)
    except OSError as exc:
        new = f"{path.rpartition('/')[0] or '.'}/sedXXXXXX"
        raise ProgramError(f"sed: couldn't open temporary file {new}: {reason(exc)}", _SED_FAILED) from exc
    kept = "".join(line for line in lines if not pattern.search(line.rstrip("\n")))
    call.tree.write(full, kept.encode(errors="surrogateescape"), mode=mode)
    return 0


def _pattern(script: str, *, shown: str) -> re.Pattern[str]:
    """Which lines a script takes out."""
    found = _DELETE.fullmatch(script)
    regex = "" if found is None else found["regex"] if found["mark"] else found["plain"]
    mark = script[1:2] if script.startswith("\\") else script[:1]
    unended = found is None and script[:1] in ("/", "\\") and script.count(mark) == 1
    if unended or _OPEN_CLASS.search(regex):
        raise ProgramError(f"sed: -e expression #1, char {len(script)}: unterminated address regex")
    if found is None:
        raise ProgramError(f"sed: the lab knows only the deletion of lines in place, not {shown!r}")
    return re.compile(_LITERAL.sub(r"\\\g<0>", regex))
