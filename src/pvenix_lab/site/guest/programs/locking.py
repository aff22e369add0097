"""flock of util-linux 2.39 on a file or directory, and the one edit of GNU sed 4.9 that is made under it: lines taken out of a file."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from weakref import WeakKeyDictionary

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason
from pvenix_lab.site.guest.guest import Guest

_LOCKS: WeakKeyDictionary[Guest, defaultdict[str, asyncio.Lock]] = WeakKeyDictionary()
_CONFLICT = 1
_NOT_RUNNABLE = 69
"""EX_UNAVAILABLE, as flock says of a program that it cannot start."""
_DELETE = re.compile(r"\\(?P<mark>[^\n\\])(?P<regex>.*)(?P=mark)d|/(?P<plain>.*)/d")
_LITERAL = re.compile(r"[+?(){}|]")
"""What a basic regular expression takes as it stands."""


async def flock(call: Call) -> int:
    """`flock [-w SECONDS] PATH PROGRAM…`: the program's status, 1 when the lock is not had in time."""
    words = list(call.args)
    patience = None
    if words[:1] == ["-w"] and len(words) > 1:
        patience = float(words[1])
        words = words[2:]
    if len(words) < 2 or words[0].startswith("-"):
        raise ProgramError("flock: requires file descriptor, file or directory", 64)
    path = call.full(words[0])
    if not call.tree.exists(path):
        call.tree.check_write(path, call.uid)
        call.tree.write(path, b"", mode=0o644)
    inner = call.with_argv(tuple(words[1:]))
    if not call.guest.shell.has(inner):
        raise ProgramError(f"flock: failed to execute {words[1]}: No such file or directory", _NOT_RUNNABLE)
    lock = _LOCKS.setdefault(call.guest, defaultdict(asyncio.Lock))[call.tree.resolve(path)]
    try:
        async with asyncio.timeout(patience):
            await lock.acquire()
    except TimeoutError:
        return _CONFLICT
    try:
        return await call.guest.shell.execute(inner)
    finally:
        lock.release()


async def sed(call: Call) -> int:
    r"""`sed -i -e '\%REGEX%d' FILE` or `'/REGEX/d'`: the lines that match are taken out; mode and owner of the file stay."""
    options = parse_options(call, flags=("-i",), values=("-e",))
    script = _DELETE.fullmatch(options.value("-e"))
    if script is None or not options.has("-i") or len(options.rest) != 1:
        raise ProgramError(f"sed: the lab knows only the deletion of lines in place, not {' '.join(call.args)!r}")
    call.mutates()
    path = options.rest[0]
    full = call.full(path)
    pattern = re.compile(_LITERAL.sub(r"\\\g<0>", script["regex"] if script["mark"] else script["plain"]))
    try:
        call.tree.check_write(full, call.uid)
        lines = call.tree.read(full).decode(errors="surrogateescape").splitlines(keepends=True)
        mode = call.tree.stat(full).st_mode & 0o7777
    except OSError as exc:
        raise ProgramError(f"sed: can't read {path}: {reason(exc)}", 2) from exc
    kept = "".join(line for line in lines if not pattern.search(line.rstrip("\n")))
    call.tree.write(full, kept.encode(errors="surrogateescape"), mode=mode)
    return 0
