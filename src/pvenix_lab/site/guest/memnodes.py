"""What a disk in memory is made of, and its way from and to a directory of this machine.

Disks are copied by their directories only: files and links are replaced, never changed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class File:
    """A plain file; replaced as a whole."""

    data: bytes
    mode: int = 0o644
    time: float = 0.0
    origin: str = ""
    """A file of this machine that holds the same for ever, to be shared by a hard link."""


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

    def copy(self, without: Collection[str] = ()) -> Dir:
        """The directory and those in it, with the same files."""
        copied = {
            name: node.copy() if isinstance(node, Dir) else node
            for name, node in self.children.items()
            if name not in without
        }
        return Dir(copied, self.mode)


@dataclass(slots=True)
class Elsewhere:
    """A directory that `place` makes where its parent has become one of this machine."""

    place: Callable[[Path], None]


Node = File | Link | Dir | Elsewhere


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
            origin = str(entry) if "/nix/store/" in str(entry) else ""
            mode = stat.S_IMODE(status.st_mode)
            found.children[entry.name] = File(entry.read_bytes(), mode, status.st_mtime, origin)
    return found


def store(top: Dir, path: Path) -> None:
    """Make a directory of this machine that holds the same."""
    path.mkdir(parents=True, exist_ok=True)
    _make(top, str(path))


def _make(node: Node, real: str) -> None:
    match node:
        case Dir():
            with contextlib.suppress(FileExistsError):
                os.mkdir(real)
            for name, child in node.children.items():
                _make(child, f"{real}/{name}")
            os.chmod(real, node.mode)
        case File() if node.origin:
            os.link(node.origin, real)
        case File():
            with open(real, "wb") as file:
                file.write(node.data)
            os.chmod(real, node.mode)
            os.utime(real, (node.time, node.time))
        case Link():
            os.symlink(node.text, real)
            os.utime(real, (node.time, node.time), follow_symlinks=False)
        case Elsewhere():
            node.place(Path(real))
