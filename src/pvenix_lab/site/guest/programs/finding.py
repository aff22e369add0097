"""find and ln: where links are and lead to, with the texts and exit codes of GNU findutils 4.9 and coreutils 9."""

from __future__ import annotations

import fnmatch
import re
import stat as modes
from collections.abc import Iterator
from dataclasses import dataclass

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason

_NUMBERED = ("-maxdepth", "-mindepth")
_WITH_VALUE = (*_NUMBERED, "-type", "-name", "-printf")
_KINDS = {"f": modes.S_ISREG, "d": modes.S_ISDIR, "l": modes.S_ISLNK}
_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What is looked for, below which paths."""

    starts: tuple[str, ...]
    least: int
    most: int
    kind: str
    name: str
    form: str

    def wants(self, path: str, mode: int) -> bool:
        """True for a file of the kind and name."""
        kind = not self.kind or _KINDS[self.kind](mode)
        return kind and (not self.name or fnmatch.fnmatchcase(path.rpartition("/")[2], self.name))


async def find(call: Call) -> int:
    """`find P… [-maxdepth N] [-mindepth N] [-type f|d|l] [-name GLOB] [-printf FORM]` with %p %f %l %y %s %T@ in the form."""
    search = _parsed(call)
    unread: list[str] = []
    for start in search.starts:
        for path in _below(call, start, 0, search, unread):
            call.out(_printed(call, path, search.form))
    return 1 if unread else 0


def _parsed(call: Call) -> _Search:
    words = list(call.args)
    starts = []
    while words and not words[0].startswith("-"):
        starts.append(words.pop(0))
    values = {"-maxdepth": "1000", "-mindepth": "0", "-type": "", "-name": "", "-printf": "%p\\n"}
    while words:
        name = words.pop(0)
        if name not in _WITH_VALUE:
            kind = "unknown predicate" if name.startswith("-") else "paths must precede expression:"
            raise ProgramError(f"find: {kind} `{name}'")
        if not words:
            raise ProgramError(f"find: missing argument to `{name}'")
        values[name] = words.pop(0)
        _check(name, values[name])
    return _Search(
        starts=tuple(starts) or (".",),
        least=int(values["-mindepth"]),
        most=int(values["-maxdepth"]),
        kind=values["-type"],
        name=values["-name"],
        form=values["-printf"],
    )


def _check(name: str, value: str) -> None:
    if name in _NUMBERED and not value.isdigit():
        raise ProgramError(f"find: Expected a positive decimal integer argument to {name}, but got '{value}'")
    if name == "-type" and value not in _KINDS:
        raise ProgramError(f"find: Unknown argument to -type: {value}")
    if name == "-printf" and set(re.findall(r"%(T@|.)", value)) - {"p", "f", "l", "y", "s", "T@", "%"}:
        raise ProgramError("find: the lab's prints %p %f %l %y %s %T@")


def _below(call: Call, path: str, depth: int, search: _Search, unread: list[str]) -> Iterator[str]:
    """The path and what is in it, a folder before its files; links are not followed, what cannot be read is `unread`."""
    full = call.full(path)
    names: list[str] = []
    try:
        call.tree.check_read(full.rpartition("/")[0] or "/", call.uid)
        mode = call.tree.stat(full, follow_last=False).st_mode
        if depth >= search.least and search.wants(path, mode):
            yield path
        if modes.S_ISDIR(mode) and depth < search.most:
            call.tree.check_read(full, call.uid)
            names = call.tree.listdir(full)
    except OSError as exc:
        call.err(f"find: '{path}': {reason(exc)}")
        unread.append(path)
    for name in names:
        yield from _below(call, f"{path.rstrip('/')}/{name}", depth + 1, search, unread)


def _printed(call: Call, path: str, form: str) -> str:
    full = call.full(path)
    found = call.tree.stat(full, follow_last=False)
    letter = next((letter for letter, is_kind in _KINDS.items() if is_kind(found.st_mode)), "U")
    values = {
        "p": path, "f": path.rpartition("/")[2], "y": letter, "s": str(found.st_size), "%": "%",
        "l": call.tree.readlink(full) if letter == "l" else "", "T@": f"{found.st_mtime:.10f}",
    }  # fmt: skip

    def meant(match: re.Match[str]) -> str:
        return values[match[1]] if match[1] else _ESCAPES.get(match[2], match[0])

    return re.sub(r"%(T@|.)|\\(.)", meant, form)


async def ln(call: Call) -> int:
    """`ln -s [-f] [-n] [-T] TEXT LINK`: a symbolic link."""
    options = parse_options(call, flags=("-s", "-f", "-n", "-T", "--symbolic", "--force"))
    if not options.rest:
        raise ProgramError("ln: missing file operand\nTry 'ln --help' for more information.")
    if len(options.rest) != 2 or not options.has("-s", "--symbolic"):
        raise ProgramError("ln: the lab's makes one symbolic link: ln -s TEXT LINK")
    text, link = options.rest
    full = call.full(link)
    if call.tree.is_dir(full) and not options.has("-T") and not (options.has("-n") and call.tree.readlink(full)):
        full = f"{full.rstrip('/')}/{text.rpartition('/')[2]}"
    call.mutates()
    try:
        call.tree.check_write(full, call.uid)
        if not call.tree.is_dir(full.rpartition("/")[0] or "/"):
            raise FileNotFoundError(2, "No such file or directory", full)
        if call.tree.exists(full, follow_last=False) and not call.tree.readlink(full) and call.tree.is_dir(full):
            raise ProgramError(f"ln: {link}: cannot overwrite directory")
        if call.tree.exists(full, follow_last=False) and not options.has("-f", "--force"):
            raise FileExistsError(17, "File exists", full)
        call.tree.symlink(text, full)
    except OSError as exc:
        raise ProgramError(f"ln: failed to create symbolic link '{link}': {reason(exc)}") from exc
    return 0
