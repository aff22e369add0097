"""test, stat and touch: what a file is, with the texts and exit codes of GNU coreutils 9."""

from __future__ import annotations

import re
import stat as modes
from collections.abc import Callable

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason
from pvenix_lab.site.guest.vfs import USER_OWNED

_FILE_TESTS = ("-e", "-f", "-d", "-L", "-h", "-s", "-r", "-w", "-x")
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b, "-ne": lambda a, b: a != b, "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b, "-gt": lambda a, b: a > b, "-ge": lambda a, b: a >= b,
}  # fmt: skip
_KINDS = {
    modes.S_IFREG: "regular file", modes.S_IFDIR: "directory", modes.S_IFLNK: "symbolic link", modes.S_IFIFO: "fifo",
}  # fmt: skip


async def test(call: Call) -> int:
    """`test EXPRESSION` of up to three words, with `!` before it: 0 when it holds, 1 when not, 2 for what is no expression."""
    words = list(call.args)
    negate = len(words) > 1 and words[0] == "!"
    if negate:
        words.pop(0)
    return int(_holds(call, words) == negate)


def _holds(call: Call, words: list[str]) -> bool:
    """POSIX: what an expression is goes by the number of its words."""
    if len(words) < 2:
        return bool(words and words[0])
    if len(words) == 2:
        return _unary(call, *words)
    if len(words) > 3:
        raise ProgramError(f"test: extra argument '{words[3]}'", 2)
    left, operator, right = words
    if operator in ("=", "==", "!="):
        return (left == right) == (operator != "!=")
    if operator not in _NUMBERS:
        raise ProgramError(f"test: '{operator}': binary operator expected", 2)
    for word in (left, right):
        if not re.fullmatch(r"[+-]?\d+", word):
            raise ProgramError(f"test: invalid integer '{word}'", 2)
    return _NUMBERS[operator](int(left), int(right))


def _unary(call: Call, operator: str, word: str) -> bool:
    if operator in ("-n", "-z"):
        return bool(word) == (operator == "-n")
    if operator not in _FILE_TESTS:
        raise ProgramError(
            f"test: '{operator}': unary operator expected" if operator.startswith("-") else f"test: missing argument after '{word}'", 2
        )  # fmt: skip
    full, link = call.full(word), operator in ("-L", "-h")
    if not call.tree.exists(full, follow_last=not link):
        return False
    mode = call.tree.stat(full, follow_last=not link)
    if operator in ("-r", "-w"):
        return _allowed(call, full, call.tree.check_read if operator == "-r" else call.tree.check_write)
    if operator == "-x":
        return bool(mode.st_mode & 0o111)
    if operator in ("-e", "-s"):
        return operator == "-e" or mode.st_size > 0
    kind = {"-f": modes.S_ISREG, "-d": modes.S_ISDIR}.get(operator, modes.S_ISLNK)
    return kind(mode.st_mode)


def _allowed(call: Call, path: str, check: Callable[[str, int], None]) -> bool:
    try:
        check(path, call.uid)
    except OSError:
        return False
    return True


async def stat(call: Call) -> int:
    """`stat -c FORMAT P…` with %a, %A, %F, %n, %s, %U, %u, %Y and %%: one line for each file."""
    options = parse_options(call, flags=("-L", "--dereference"), values=("-c", "--format"))
    form = options.value("-c") or options.value("--format")
    if not options.rest:
        raise ProgramError("stat: missing operand\nTry 'stat --help' for more information.")
    if not form or set(re.findall(r"%(.)", form)) - set("aAFnsUuY%"):
        raise ProgramError("stat: the lab's shows %a %A %F %n %s %U %u %Y with -c")
    status = 0
    for path in options.rest:
        try:
            call.tree.check_read(call.full(path).rpartition("/")[0] or "/", call.uid)
            call.out(_shown(call, path, form, follow=options.has("-L", "--dereference")) + "\n")
        except OSError as exc:
            call.err(f"stat: cannot statx '{path}': {reason(exc)}")
            status = 1
    return status


def _shown(call: Call, path: str, form: str, *, follow: bool) -> str:
    full = call.full(path)
    found = call.tree.stat(full, follow_last=follow)
    kind = _KINDS.get(modes.S_IFMT(found.st_mode), "special file")
    user = "tappaas" if any(full == top or full.startswith(f"{top}/") for top in USER_OWNED) else "root"
    values = {
        "a": f"{modes.S_IMODE(found.st_mode):o}", "A": modes.filemode(found.st_mode), "n": path, "s": str(found.st_size),
        "F": "regular empty file" if kind == "regular file" and not found.st_size else kind,
        "U": user, "u": "1000" if user == "tappaas" else "0", "Y": str(int(found.st_mtime)), "%": "%",
    }  # fmt: skip
    return re.sub(r"%(.)", lambda match: values[match[1]], form)


async def touch(call: Call) -> int:
    """`touch P…`: an empty file, or the time of one that is there."""
    options = parse_options(call, flags=("-c", "--no-create"))
    if not options.rest:
        raise ProgramError("touch: missing file operand\nTry 'touch --help' for more information.")
    call.mutates()
    status = 0
    for path in options.rest:
        full = call.full(path)
        try:
            call.tree.check_write(full, call.uid)
            if not call.tree.is_dir(full.rpartition("/")[0] or "/"):
                raise FileNotFoundError(2, "No such file or directory", path)
            if call.tree.exists(full):
                call.tree.set_time(full, call.guest.now())
            elif not options.has("-c", "--no-create"):
                call.tree.write(full, b"")
        except OSError as exc:
            call.err(f"touch: cannot touch '{path}': {reason(exc)}")
            status = 1
    return status
