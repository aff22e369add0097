"""A guest's files in memory: the same tree as `VirtualRoot`'s, without a file of this machine behind it.

A simulated run touches some thousand files; as real ones they would cost more than everything else together. Disks are
copied by their directories only: files and links are replaced, never changed. `test_memtree.py` holds both kinds of
tree to the same answers.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typing_extensions import override

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.vfs import VirtualRoot, error, parts_of
from pvenix_lab.site.pve.vm import Vm
from pvenix_lab.site.whole import new_guest

_MAX_LINKS: Final = 40
NOT_ON_DISK: Final = ("proc", "run")


@dataclass(slots=True)
class File:
    """A plain file; replaced as a whole."""

    data: bytes
    mode: int = 0o644
    time: float = 0.0


@dataclass(slots=True)
class Link:
    """A symbolic link; replaced as a whole."""

    text: str
    time: float = 0.0


@dataclass(slots=True)
class Dir:
    """A directory."""

    children: dict[str, Node] = field(default_factory=dict)
    mode: int = 0o755

    def copy(self, without: tuple[str, ...] = ()) -> Dir:
        """The directory and those in it, with the same files."""
        copied = {
            name: node.copy() if isinstance(node, Dir) else node
            for name, node in self.children.items()
            if name not in without
        }
        return Dir(copied, self.mode)


Node = File | Link | Dir


def load(path: Path) -> Dir:
    """A directory of this machine."""
    found = Dir(mode=stat.S_IMODE(path.stat().st_mode))
    for entry in sorted(path.iterdir()):
        status = entry.lstat()
        if entry.is_symlink():
            found.children[entry.name] = Link(str(entry.readlink()), status.st_mtime)
        elif entry.is_dir():
            found.children[entry.name] = load(entry)
        else:
            found.children[entry.name] = File(entry.read_bytes(), stat.S_IMODE(status.st_mode), status.st_mtime)
    return found


class MemoryTree(VirtualRoot):
    """The tree of one guest over a directory in memory."""

    def __init__(self, root: Path, top: Dir, clock: Callable[[], float]) -> None:
        super().__init__(root)
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
            if type(node) is Link and (todo or follow_last):
                links += 1
                if links > _MAX_LINKS:
                    raise error(errno.ELOOP, path)
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
            raise error(self._why_missing(names), path)
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
            raise error(errno.EISDIR, path)
        here: Node | None = self.top
        for name in names[:-1]:
            here = here.children.get(name) if isinstance(here, Dir) else None
        if not isinstance(here, Dir):
            raise error(self._why_missing(names), path)
        return here

    @override
    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        return "/" + "/".join(self._find(path, follow_last=follow_last)[0])

    @override
    def stat(self, path: str, *, follow_last: bool = True) -> os.stat_result:
        node = self._get(path, follow_last=follow_last)
        if isinstance(node, Dir):
            mode, size, time = stat.S_IFDIR | node.mode, 0, 0.0
        elif isinstance(node, Link):
            mode, size, time = stat.S_IFLNK | 0o777, len(node.text), node.time
        else:
            mode, size, time = stat.S_IFREG | node.mode, len(node.data), node.time
        whole = int(time)
        return os.stat_result((mode, 0, 0, 1, 0, 0, size, whole, whole, whole, time, time, time))

    @override
    def exists(self, path: str, *, follow_last: bool = True) -> bool:
        try:
            return self._find(path, follow_last=follow_last)[1] is not None
        except OSError:
            return False

    @override
    def is_dir(self, path: str) -> bool:
        try:
            return type(self._find(path)[1]) is Dir
        except OSError:
            return False

    @override
    def readlink(self, path: str) -> str:
        node = self._find(path, follow_last=False)[1]
        return node.text if isinstance(node, Link) else ""

    @override
    def listdir(self, path: str) -> list[str]:
        node = self._get(path)
        if not isinstance(node, Dir):
            raise error(errno.ENOTDIR, path)
        return sorted(node.children)

    @override
    def read(self, path: str, *, offset: int = 0) -> bytes:
        node = self._get(path)
        if not isinstance(node, File):
            raise error(errno.EISDIR, path)
        return node.data[offset:] if offset else node.data

    @override
    def write(self, path: str, data: bytes | str, *, mode: int | None = None, append: bool = False) -> None:
        body = data.encode() if isinstance(data, str) else data
        names, old = self._find(path)
        if isinstance(old, Dir):
            raise error(errno.EISDIR, path)
        parent = self._parent(names, path)
        before = old if isinstance(old, File) else File(b"")
        parent.children[names[-1]] = File(
            before.data + body if append else body, before.mode if mode is None else mode, self._clock()
        )
        self.touch()

    @override
    def mkdir(self, path: str, *, mode: int | None = None) -> None:
        names, _ = self._find(path)
        here = self.top
        for index, name in enumerate(names):
            below = here.children.get(name)
            if below is None:
                below = here.children[name] = Dir()
            elif not isinstance(below, Dir):
                raise error(errno.EEXIST if index == len(names) - 1 else errno.ENOTDIR, path)
            here = below
        if mode is not None:
            here.mode = mode

    @override
    def symlink(self, text: str, path: str) -> None:
        names, old = self._find(path, follow_last=False)
        if isinstance(old, Dir):
            raise error(errno.EISDIR, path)
        self.mkdir("/" + "/".join(names[:-1]))
        self._parent(names, path).children[names[-1]] = Link(text, self._clock())
        self.touch()

    @override
    def rename(self, source: str, target: str) -> None:
        names, node = self._find(source, follow_last=False)
        goal, old = self._find(target, follow_last=False)
        parents = self._parent(names, target), self._parent(goal, target)
        if node is None:
            raise error(self._why_missing(names), target)
        if isinstance(node, Dir) and goal[: len(names)] == names and goal != names:
            raise error(errno.EINVAL, target)
        if names[: len(goal)] == goal and goal != names:
            raise error(errno.ENOTEMPTY, target)
        if old is not None and isinstance(old, Dir) != isinstance(node, Dir):
            raise error(errno.EISDIR if isinstance(old, Dir) else errno.ENOTDIR, target)
        if isinstance(old, Dir) and old is not node and old.children:
            raise error(errno.ENOTEMPTY, target)
        del parents[0].children[names[-1]]
        parents[1].children[goal[-1]] = node
        self.touch()

    @override
    def remove(self, path: str) -> None:
        names, node = self._find(path, follow_last=False)
        if node is not None:
            del self._parent(names, path).children[names[-1]]
        elif self._why_missing(names) == errno.ENOTDIR:
            raise error(errno.ENOTDIR, path)
        self.touch()

    @override
    def chmod(self, path: str, mode: int) -> None:
        names, node = self._find(path)
        match node:
            case Dir():
                node.mode = mode
            case File():
                self._parent(names, path).children[names[-1]] = File(node.data, mode, node.time)
            case _:
                raise error(self._why_missing(names), path)

    @override
    def set_time(self, path: str, seconds: float) -> None:
        names, node = self._find(path, follow_last=False)
        parent = self._parent(names, path)
        match node:
            case File():
                parent.children[names[-1]] = File(node.data, node.mode, seconds)
            case Link():
                parent.children[names[-1]] = Link(node.text, seconds)
            case None:
                raise error(self._why_missing(names), path)

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


@dataclass
class Disks:
    """The disks of one site by the directory in which the lab would keep them."""

    tops: dict[Path, Dir] = field(default_factory=dict)

    def guest(self, site: Site, vm: Vm, root: Path) -> Guest:
        """A guest of the site, its disk in memory."""
        tree = MemoryTree(root, self.tops.setdefault(root, Dir()), site.wall)
        return new_guest(site, vm, root, tree=tree)

    def clone(self, site: Site, source: Path, target: Path) -> None:
        """Copy a disk, as `pvenix_lab.site.guest.disk.clone_disk` does."""
        del site
        target.mkdir(parents=True, exist_ok=True)  # the site looks there to see whether there is a disk
        copied = self.tops[source].copy(without=NOT_ON_DISK)
        there = self.tops.setdefault(target, Dir())  # a guest that has this disk keeps it
        there.children, there.mode = copied.children, copied.mode
