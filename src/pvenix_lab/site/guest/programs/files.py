"""Files: the coreutils that a guest has, with the texts and exit codes of GNU coreutils 9."""

from __future__ import annotations

import asyncio
import re
import stat
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import UIDS, Call, Options, ProgramError, parse_options, reason

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 64 * 1024
_REMOVABLE = ("/var/lib/pvenix", "/run/pvenix", "/tmp", "/var/tmp", "/home/tappaas")  # noqa: S108 - in the guest's tree


def _operands(call: Call, rest: tuple[str, ...], least: int = 1) -> tuple[str, ...]:
    if len(rest) < least:
        raise ProgramError(f"{call.name}: missing operand\nTry '{call.name} --help' for more information.")
    return rest


def _each(call: Call, paths: tuple[str, ...], action: Callable[[str], None], what: str) -> int:
    status = 0
    for path in paths:
        try:
            action(path)
        except OSError as exc:
            call.err(f"{call.name}: {what.format(path=path)}: {reason(exc)}")
            status = 1
    return status


def _readable(call: Call, path: str) -> bytes:
    call.tree.check_read(call.full(path), call.uid)
    return call.tree.read(call.full(path))


async def true(call: Call) -> int:
    """Nothing, successfully."""
    del call
    return 0


async def false(call: Call) -> int:
    """Nothing, unsuccessfully."""
    del call
    return 1


async def echo(call: Call) -> int:
    """The arguments on one line; without its end after -n."""
    words = call.args[1:] if call.args[:1] == ("-n",) else call.args
    if words[:1] in (("-e",), ("-E",)):
        raise ProgramError("echo: the lab's reads no escapes", 2)
    call.out(" ".join(words) + ("" if len(words) < len(call.args) else "\n"))
    return 0


def _quoted(path: str) -> str:
    """A name as GNU's quotef shows it: quoted only where a shell would need it."""
    return path if re.fullmatch(r"[\w@%+=:,./-]+", path) else f"'{path}'"


async def cat(call: Call) -> int:
    """The files one after the other; standard input without arguments."""
    options = parse_options(call)
    if not options.rest:
        while data := await call.stdin.read(_CHUNK):
            call.stdout.write(data)
        return 0
    status = 0
    for path in options.rest:
        try:
            data = _readable(call, path)
        except OSError as exc:
            call.err(f"cat: {_quoted(path)}: {reason(exc)}")
            status = 1
            continue
        for start in range(0, len(data), _CHUNK):
            call.stdout.write(data[start : start + _CHUNK])
            await call.stdout.drain()
    return status


async def readlink(call: Call) -> int:
    """`readlink [-f | -e] [-v] P…`: the target; with -f the whole path resolved, silent failure when a directory is missing."""
    options = parse_options(call, flags=("-f", "-e", "-n", "-v", "--canonicalize"))
    status = 0
    for path in _operands(call, options.rest):
        full = call.full(path)
        if options.has("-f", "-e", "--canonicalize"):
            answer = call.tree.resolve(full)
            parent = answer.rpartition("/")[0] or "/"
            there = call.tree.exists(answer) if options.has("-e") else call.tree.is_dir(parent)
            answer = answer if there else ""
        else:
            answer = call.tree.readlink(full)
        if answer:
            call.out(answer + "\n")
            continue
        status = 1
        if options.has("-v"):
            there = call.tree.exists(full, follow_last=False)
            call.err(f"readlink: {_quoted(path)}: {'Invalid argument' if there else 'No such file or directory'}")
    return status


async def ls(call: Call) -> int:
    """`ls -1 [-A] D`: names one per line, without hidden ones unless -A or -a."""
    options = parse_options(call, flags=("-1", "-A", "-a"), usage=2)
    status, said = 0, False
    for path in options.rest or (".",):
        full = call.full(path)
        try:
            call.tree.check_read(full, call.uid)
            call.tree.stat(full)
            names = call.tree.listdir(full) if call.tree.is_dir(full) else [path]
        except OSError as exc:
            what = f"cannot open directory '{path}'" if call.tree.is_dir(full) else f"cannot access '{path}'"
            call.err(f"ls: {what}: {reason(exc)}")
            status = 2
            continue
        shown = names if options.has("-A", "-a") else [name for name in names if not name.startswith(".")]
        if call.tree.is_dir(full):
            title = [*([""] if said else []), f"{path}:"] if len(options.rest) > 1 else []
            shown = title + ([".", ".."] if options.has("-a") else []) + shown
        call.out("".join(f"{name}\n" for name in shown))
        said = True
    return status


async def mkdir(call: Call) -> int:
    """`mkdir [-p] [-m MODE] D…`."""
    call.mutates()
    options = parse_options(call, flags=("-p", "--parents"), values=("-m", "--mode"))
    mode = options.value("-m") or options.value("--mode")

    def make(path: str) -> None:
        full = call.full(path)
        if options.has("-p", "--parents") and call.tree.is_dir(full):
            return
        call.tree.check_write(full, call.uid)
        if call.tree.exists(full, follow_last=False):
            raise FileExistsError(17, "File exists", path)
        if (blocking := _no_directory(call, full)) and options.has("-p", "--parents"):
            raise ProgramError(f"mkdir: cannot create directory '{blocking}': Not a directory")
        if blocking:
            raise NotADirectoryError(20, "Not a directory", path)
        if not options.has("-p", "--parents") and not call.tree.is_dir(full.rpartition("/")[0] or "/"):
            raise FileNotFoundError(2, "No such file or directory", path)
        call.tree.mkdir(full, mode=int(mode, 8) if mode else None)

    return _each(call, _operands(call, options.rest), make, "cannot create directory '{path}'")


def _no_directory(call: Call, path: str) -> str:
    """The first part of the way to `path` that is there and no directory; empty when there is none."""
    parts = path.strip("/").split("/")[:-1]
    ways = ("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))
    return next((way for way in ways if call.tree.exists(way) and not call.tree.is_dir(way)), "")


async def mv(call: Call) -> int:
    """`mv [-T] [-n] [-f] A B`: rename. With -n an existing target stays; the source stays too, and the status is 1 (coreutils 9.2+)."""
    call.mutates()
    options = parse_options(call, flags=("-T", "-n", "-f", "--no-target-directory", "--no-clobber"))
    _check_two(call, options)
    source, target = (call.full(path) for path in options.rest)
    shown_source, shown = options.rest
    if not options.has("-T", "--no-target-directory") and call.tree.is_dir(target):
        target = f"{target}/{source.rstrip('/').rpartition('/')[2]}"
    if not call.tree.exists(source, follow_last=False):
        raise ProgramError(f"mv: cannot stat '{shown_source}': No such file or directory")
    if options.has("-n", "--no-clobber") and call.tree.exists(target, follow_last=False):
        raise ProgramError(f"mv: not replacing '{shown}'")
    try:
        call.tree.check_write(source, call.uid)
        call.tree.check_write(target, call.uid)
        call.tree.rename(source, target)
    except OSError as exc:
        text = f"cannot overwrite '{shown}'" if exc.errno == 39 else f"cannot move '{shown_source}' to '{shown}'"
        raise ProgramError(f"mv: {text}: {reason(exc)}") from exc
    return 0


def _check_two(call: Call, options: Options) -> None:
    hint = "\nTry 'mv --help' for more information."
    if not options.rest:
        raise ProgramError(f"mv: missing file operand{hint}")
    if len(options.rest) == 1:
        raise ProgramError(f"mv: missing destination file operand after '{options.rest[0]}'{hint}")
    if len(options.rest) > 2:
        last = options.rest[-1]
        if options.has("-T", "--no-target-directory"):
            raise ProgramError(f"mv: extra operand '{options.rest[2]}'{hint}")
        if call.tree.is_dir(call.full(last)):
            raise ProgramError("mv: the lab's moves one file at a time")
        why = "Not a directory" if call.tree.exists(call.full(last)) else "No such file or directory"
        raise ProgramError(f"mv: target '{last}': {why}")


async def rm(call: Call) -> int:
    """`rm [-r] [-f] P…`. Recursively only below pvenix's own and temporary directories: the lab refuses the rest."""
    call.mutates()
    options = parse_options(call, flags=("-r", "-R", "-f", "--recursive", "--force", "-d"))
    recursive = options.has("-r", "-R", "--recursive")

    def drop(path: str) -> None:
        full = call.full(path)
        if not call.tree.exists(full, follow_last=False):
            if options.has("-f", "--force"):
                return
            raise FileNotFoundError(2, "No such file or directory", path)
        call.tree.check_write(full, call.uid)
        if stat.S_ISDIR(call.tree.stat(full, follow_last=False).st_mode):
            _check_removable(call.tree.resolve(full, follow_last=False), recursive=recursive, path=path)
        call.tree.remove(full)

    paths = options.rest if options.has("-f", "--force") else _operands(call, options.rest)
    return _each(call, paths, drop, "cannot remove '{path}'")


def _check_removable(resolved: str, *, recursive: bool, path: str) -> None:
    if not recursive:
        raise IsADirectoryError(21, "Is a directory", path)
    if not any(resolved.startswith(top + "/") for top in _REMOVABLE):
        raise PermissionError(1, "Operation not permitted", path)


async def rmdir(call: Call) -> int:
    """`rmdir D…`: empty directories."""
    call.mutates()
    options = parse_options(call)

    def drop(path: str) -> None:
        full = call.full(path)
        call.tree.check_write(full, call.uid)
        if not stat.S_ISDIR(call.tree.stat(full, follow_last=False).st_mode):
            raise NotADirectoryError(20, "Not a directory", path)
        if call.tree.listdir(full):
            raise OSError(39, "Directory not empty", path)
        call.tree.remove(full)

    return _each(call, _operands(call, options.rest), drop, "failed to remove '{path}'")


async def chmod(call: Call) -> int:
    """`chmod OCTAL P…`."""
    call.mutates()
    options = parse_options(call)
    mode, *paths = _operands(call, options.rest, 2)
    if not re.fullmatch(r"[0-7]{3,4}", mode):
        raise ProgramError(f"chmod: invalid mode: '{mode}'\nTry 'chmod --help' for more information.")

    denied: list[str] = []

    def change(path: str) -> None:
        call.tree.stat(call.full(path))
        try:
            call.tree.check_write(call.full(path), call.uid)
        except PermissionError:
            denied.append(path)
        else:
            call.tree.chmod(call.full(path), int(mode, 8))

    status = _each(call, tuple(paths), change, "cannot access '{path}'")
    for path in denied:
        call.err(f"chmod: changing permissions of '{path}': Operation not permitted")
    return 1 if denied else status


async def chown(call: Call) -> int:
    """`chown [-R] USER:[GROUP] P…` by root, with coreutils' refusals; whose a file is, is not kept (see `vfs`)."""
    call.mutates()
    options = parse_options(call, flags=("-R",))
    owner, *paths = _operands(call, options.rest, 2)
    user, _, group = owner.partition(":")
    if user not in UIDS or (group and group not in UIDS):
        raise ProgramError(f"chown: invalid user: '{owner}'")

    def change(path: str) -> None:
        call.tree.stat(call.full(path))
        if call.uid != 0:
            raise PermissionError(1, "Operation not permitted", path)

    return _each(call, tuple(paths), change, "cannot access '{path}'")


async def sleep(call: Call) -> int:
    """`sleep N`: really waits on the loop's clock; a time unit s, m or h may follow."""
    first, *more = _operands(call, call.args)
    match = None if more else re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", first)
    if match is None:
        raise ProgramError(f"sleep: invalid time interval '{first}'\nTry 'sleep --help' for more information.")
    await asyncio.sleep(float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]])
    return 0
