"""A guest's files in memory: the same answers as `realfiles`, without a file of this machine.

The disks of a large site are here until somebody needs them as files (a real git, a copy of the disk), and those of a
simulated run never leave.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pvenix_lab.site.guest.memnodes import Dir, Elsewhere, File, Link, Node
from pvenix_lab.site.guest.realfiles import MAX_LINKS, parts_of


class NeedsDisk(Exception):
    """What is asked for is not in memory; the disk has to be written first."""


class MemoryFiles:
    """Takes the guest's absolute paths; `clock` dates what is written."""

    def __init__(self, top: Dir, clock: Callable[[], float]) -> None:
        self.top = top
        self._clock = clock

    def _find(self, path: str, *, follow_last: bool = True) -> tuple[list[str], Node | None]:
        """The components of the resolved path and what is there."""
        todo = parts_of(path)[::-1]
        names: list[str] = []
        trail: list[Node | None] = [self.top]
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if names:
                    names.pop()
                    trail.pop()
                continue
            here = trail[-1]
            node = here.children.get(part) if type(here) is Dir else None
            if type(node) is Elsewhere:
                raise NeedsDisk(path)
            if type(node) is Link and (todo or follow_last):
                links += 1
                if links > MAX_LINKS:
                    raise _error(errno.ELOOP, path)
                if node.text.startswith("/"):
                    names.clear()
                    del trail[1:]
                todo.extend(parts_of(node.text)[::-1])
                continue
            names.append(part)
            trail.append(node)
        return names, trail[-1]

    def _get(self, path: str, *, follow_last: bool = True) -> Node:
        names, node = self._find(path, follow_last=follow_last)
        if node is None:
            raise _error(self._why_missing(names), path)
        return node

    def _why_missing(self, names: list[str]) -> int:
        here: Node | None = self.top
        for name in names:
            if not isinstance(here, Dir):
                return errno.ENOENT if here is None else errno.ENOTDIR
            here = here.children.get(name)
        return errno.ENOENT

    def _parent(self, names: list[str], path: str) -> Dir:
        """The directory that holds the last of `names`. Raises OSError when it is not there, or the path is `/`."""
        if not names:
            raise _error(errno.EISDIR, path)
        here: Node | None = self.top
        for name in names[:-1]:
            here = here.children.get(name) if isinstance(here, Dir) else None
        if not isinstance(here, Dir):
            raise _error(self._why_missing(names), path)
        return here

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """`path` without symbolic links, dots and parents; the last link stays if not `follow_last`."""
        return "/" + "/".join(self._find(path, follow_last=follow_last)[0])

    def stat(self, path: str, *, follow_last: bool = True) -> os.stat_result:
        """The status of the file."""
        node = self._get(path, follow_last=follow_last)
        if isinstance(node, Dir):
            mode, size, time = stat.S_IFDIR | node.mode, 0, 0.0
        elif isinstance(node, Link):
            mode, size, time = stat.S_IFLNK | 0o777, len(node.text), node.time
        elif isinstance(node, File):
            mode, size, time = stat.S_IFREG | node.mode, len(node.data), node.time
        else:
            raise NeedsDisk(path)
        whole = int(time)
        return os.stat_result((mode, 0, 0, 1, 0, 0, size, whole, whole, whole, time, time, time))

    def readlink(self, path: str) -> str:
        """The text of the link, or the empty string if it is none."""
        node = self._find(path, follow_last=False)[1]
        return node.text if isinstance(node, Link) else ""

    def listdir(self, path: str) -> list[str]:
        """The names in the directory, sorted."""
        node = self._get(path)
        if not isinstance(node, Dir):
            raise _error(errno.ENOTDIR, path)
        return sorted(node.children)

    def read(self, path: str, offset: int) -> bytes:
        """The content of the file from byte `offset` on."""
        node = self._get(path)
        if not isinstance(node, File):
            raise _error(errno.EISDIR, path)
        return node.data[offset:] if offset else node.data

    def write(self, path: str, body: bytes, *, mode: int | None, append: bool) -> None:
        """Write the file."""
        names, old = self._find(path)
        if isinstance(old, Dir):
            raise _error(errno.EISDIR, path)
        parent = self._parent(names, path)
        before = old if isinstance(old, File) else File(b"")
        parent.children[names[-1]] = File(
            before.data + body if append else body, before.mode if mode is None else mode, self._clock()
        )

    def mkdir(self, path: str, mode: int | None) -> None:
        """Make the directory and those above it; one that exists stays as it is."""
        names, _ = self._find(path)
        here = self.top
        for index, name in enumerate(names):
            below = here.children.get(name)
            if below is None:
                below = here.children[name] = Dir()
            elif not isinstance(below, Dir):
                raise _error(errno.EEXIST if index == len(names) - 1 else errno.ENOTDIR, path)
            here = below
        if mode is not None:
            here.mode = mode

    def symlink(self, text: str, path: str) -> None:
        """Point the link at `text`, replacing what was there in one step."""
        names, old = self._find(path, follow_last=False)
        if isinstance(old, Dir):
            raise _error(errno.EISDIR, path)
        self.mkdir("/" + "/".join(names[:-1]), None)
        self._parent(names, path).children[names[-1]] = Link(text, self._clock())

    def rename(self, source: str, target: str) -> None:
        """Move without following a last link; an existing target is replaced as POSIX wants it."""
        names, node = self._find(source, follow_last=False)
        goal, old = self._find(target, follow_last=False)
        parents = self._parent(names, target), self._parent(goal, target)
        if node is None:
            raise _error(self._why_missing(names), target)
        if isinstance(node, Dir) and goal[: len(names)] == names and goal != names:
            raise _error(errno.EINVAL, target)
        if names[: len(goal)] == goal and goal != names:
            raise _error(errno.ENOTEMPTY, target)
        if old is not None and isinstance(old, Dir) != isinstance(node, Dir):
            raise _error(errno.EISDIR if isinstance(old, Dir) else errno.ENOTDIR, target)
        if isinstance(old, Dir) and old is not node and old.children:
            raise _error(errno.ENOTEMPTY, target)
        del parents[0].children[names[-1]]
        parents[1].children[goal[-1]] = node

    def remove(self, path: str) -> None:
        """Nothing at `path` afterwards, were it a file, a link or a whole directory."""
        names, node = self._find(path, follow_last=False)
        if node is not None:
            del self._parent(names, path).children[names[-1]]
        elif self._why_missing(names) == errno.ENOTDIR:
            raise _error(errno.ENOTDIR, path)

    def chmod(self, path: str, mode: int) -> None:
        """Give what `path` leads to this mode."""
        names, node = self._find(path)
        match node:
            case Dir():
                node.mode = mode
            case File():
                self._parent(names, path).children[names[-1]] = File(node.data, mode, node.time)
            case _:
                raise _error(self._why_missing(names), path)

    def set_time(self, path: str, seconds: float) -> None:
        """Give the file, or the link itself, this time of its last change."""
        names, node = self._find(path, follow_last=False)
        parent = self._parent(names, path)
        match node:
            case File():
                parent.children[names[-1]] = File(node.data, node.mode, seconds)
            case Link():
                parent.children[names[-1]] = Link(node.text, seconds)
            case None:
                raise _error(self._why_missing(names), path)

    def later(self, path: str, place: Callable[[Path], None]) -> None:
        """A directory that is not in memory."""
        names, _ = self._find(path)
        self.mkdir("/" + "/".join(names[:-1]), None)
        self._parent(names, path).children[names[-1]] = Elsewhere(place)

    def files(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Every plain file below a directory: its path from there, and what is in it."""
        top = self._get(path)
        todo = [("", top)]
        while todo:
            prefix, node = todo.pop()
            if isinstance(node, Dir):
                todo += [(f"{prefix}/{name}", child) for name, child in node.children.items()]
            elif isinstance(node, File):
                yield prefix[1:], node.data


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)
