"""Bytes into and out of files: dd and a tail that follows, with the texts of GNU coreutils 9."""

from __future__ import annotations

import errno
import re

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason

_CHUNK = 64 * 1024


async def dd(call: Call) -> int:
    """`dd of=P [status=none] [bs=N] [conv=fsync | conv=notrunc oflag=append]`: standard input into the file."""
    call.mutates()
    given = dict(arg.partition("=")[::2] for arg in call.args)
    unknown = next(
        (arg for arg in call.args if arg.partition("=")[0] not in ("of", "bs", "status", "conv", "oflag")), None
    )
    if unknown is not None:
        raise ProgramError(f"dd: unrecognized operand '{unknown}'\nTry 'dd --help' for more information.")
    path = given.get("of", "")
    full = call.full(path)
    try:
        call.tree.check_write(full, call.uid)
        if (given.get("conv"), given.get("oflag")) != ("notrunc", "append"):
            call.tree.write(full, b"")
        total = 0
        while data := await call.stdin.read(_CHUNK):
            call.tree.write(full, data, append=True)
            total += len(data)
    except OSError as exc:
        raise ProgramError(f"dd: failed to open '{path}': {reason(exc)}") from exc
    if given.get("status") != "none":
        blocks = f"{total // 512}+{int(total % 512 > 0)}"
        call.err(f"{blocks} records in\n{blocks} records out\n{total} bytes copied, 0.001 s, {total / 1e3:.1f} MB/s")
    return 0


async def tail(call: Call) -> int:
    """`tail -c +N [-F] F`: from byte N on; with -F it waits for the file and for more, until the channel ends. `tail [-n N] F`: lines."""
    options = parse_options(call, flags=("-F", "-f"), values=("-c", "--bytes", "-n", "--lines"))
    where = options.value("-c") or options.value("--bytes")
    if not where and len(options.rest) == 1:
        return _last_lines(call, options.rest[0], options.value("-n") or options.value("--lines") or "10")
    if not re.fullmatch(r"\+?\d+", where) or len(options.rest) != 1:
        raise ProgramError(f"tail: invalid number of bytes: '{where}'")
    path = options.rest[0]
    offset = max(int(where) - 1, 0) if where.startswith("+") else None
    missing = False
    while True:
        try:
            if missing and call.tree.exists(call.full(path)):
                call.err(f"tail: '{path}' has appeared;  following new file")
                missing, offset = False, 0  # coreutils prints a file that appears from its start
            offset = await _print_from(call, path, offset, int(where))
        except OSError as exc:
            if not missing:
                call.err(f"tail: {_what(exc, path)}: {reason(exc)}")
            if not options.has("-F"):
                return 1
            missing = True
        else:
            if not options.has("-F", "-f"):
                return 0
        await call.tree.changed()


def _last_lines(call: Call, path: str, count: str) -> int:
    if not count.isdigit():
        raise ProgramError(f"tail: invalid number of lines: '{count}'")
    try:
        call.tree.check_read(call.full(path), call.uid)
        lines = call.tree.read(call.full(path)).splitlines(keepends=True)
    except OSError as exc:
        raise ProgramError(f"tail: {_what(exc, path)}: {reason(exc)}") from exc
    call.stdout.write(b"".join(lines[-int(count) :] if int(count) else []))
    return 0


def _what(exc: OSError, path: str) -> str:
    return f"error reading '{path}'" if exc.errno == errno.EISDIR else f"cannot open '{path}' for reading"


async def _print_from(call: Call, path: str, offset: int | None, last: int) -> int:
    """Print the file from `offset` (None: its `last` bytes) and return the offset behind what was printed."""
    full = call.full(path)
    call.tree.check_read(full, call.uid)
    size = call.tree.stat(full).st_size
    start = max(size - last, 0) if offset is None else offset
    data = call.tree.read(full, offset=start)
    for position in range(0, len(data), _CHUNK):
        call.stdout.write(data[position : position + _CHUNK])
        await call.stdout.drain()
    return start + len(data)
