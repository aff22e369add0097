"""A guest's file tree: virtual absolute paths mapped into one directory of the lab, never outside of it.

Symbolic links are stored with the text that a real guest has (`/nix/store/…`), and followed here, inside the tree.
Modes are those of the real files; every file counts as root's, except below the home and the temporary directories.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pvenix_lab.site.guest.memfiles import MemoryFiles, NeedsDisk
from pvenix_lab.site.guest.memnodes import store
from pvenix_lab.site.guest.realfiles import RealFiles, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
USER_OWNED = ("/home/tappaas", "/tmp", "/var/tmp", "/run/user/1000")  # noqa: S108 - paths inside the guest's tree


def error(code: int, path: str) -> OSError:
    """An OSError that names the guest's own path."""
    return OSError(code, os.strerror(code), path)


def reason(exc: OSError) -> str:
    """The C library's text of an error."""
    return os.strerror(exc.errno) if exc.errno else str(exc)


class Files(Protocol):
    """Where a tree's files are kept."""

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """See `VirtualRoot`, also for the rest."""

    def stat(self, path: str, *, follow_last: bool = True) -> os.stat_result: ...  # noqa: D102
    def readlink(self, path: str) -> str: ...  # noqa: D102
    def listdir(self, path: str) -> list[str]: ...  # noqa: D102
    def read(self, path: str, offset: int) -> bytes: ...  # noqa: D102
    def write(self, path: str, body: bytes, *, mode: int | None, append: bool) -> None: ...  # noqa: D102
    def mkdir(self, path: str, mode: int | None) -> None: ...  # noqa: D102
    def symlink(self, text: str, path: str) -> None: ...  # noqa: D102
    def rename(self, source: str, target: str) -> None: ...  # noqa: D102
    def remove(self, path: str) -> None: ...  # noqa: D102
    def chmod(self, path: str, mode: int) -> None: ...  # noqa: D102
    def set_time(self, path: str, seconds: float) -> None: ...  # noqa: D102


class VirtualRoot:
    """The file tree of one guest. Every method takes the guest's absolute paths and raises OSError naming them.

    Its files lie below `root`, or in memory until somebody needs them there.
    """

    def __init__(self, root: Path, files: MemoryFiles | None = None) -> None:
        self.root = root
        self._files: Files = files or RealFiles(str(root))
        self._changed = asyncio.Event()

    def settle(self) -> None:
        """See to it that the files lie below `root`: somebody is about to look from outside."""
        if isinstance(self._files, MemoryFiles):
            top, self._files = self._files.top, RealFiles(str(self.root))
            store(top, self.root)

    def _ask(self, what: Callable[[Files], T], path: str) -> T:
        try:
            try:
                return what(self._files)
            except NeedsDisk:
                self.settle()
                return what(self._files)
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """`path` without symbolic links, dots and parents (`realpath -m`); the last link stays if not `follow_last`.

        Raises:
            OSError: ELOOP when links never end.
        """
        return self._ask(lambda files: files.resolve(path, follow_last=follow_last), path)

    def real(self, path: str, *, follow_last: bool = True) -> Path:
        """Where `path` lies in the lab's directory; nothing of it is a link that could lead out."""
        self.settle()
        return Path(str(self.root) + self.resolve(path, follow_last=follow_last))

    def stat(self, path: str, *, follow_last: bool = True) -> os.stat_result:
        """The status of the file."""
        return self._ask(lambda files: files.stat(path, follow_last=follow_last), path)

    def exists(self, path: str, *, follow_last: bool = True) -> bool:
        """True if something is there (for a link: if its target is)."""
        try:
            self.stat(path, follow_last=follow_last)
        except OSError:
            return False
        return True

    def is_dir(self, path: str) -> bool:
        """True if `path` is, or leads to, a directory."""
        try:
            return stat.S_ISDIR(self.stat(path).st_mode)
        except OSError:
            return False

    def readlink(self, path: str) -> str:
        """The text of the link, or the empty string if it is none."""
        return self._ask(lambda files: files.readlink(path), path)

    def listdir(self, path: str) -> list[str]:
        """The names in the directory, sorted."""
        return self._ask(lambda files: files.listdir(path), path)

    def read(self, path: str, *, offset: int = 0) -> bytes:
        """The content of the file from byte `offset` on."""
        return self._ask(lambda files: files.read(path, offset), path)

    def read_text(self, path: str) -> str:
        """The content of the file as UTF-8, or the empty string if it is not there."""
        try:
            return self.read(path).decode("utf-8", "replace")
        except OSError:
            return ""

    def write(self, path: str, data: bytes | str, *, mode: int | None = None, append: bool = False) -> None:
        """Write the file. A file that other guests share by a hard link gets a copy of its own first."""
        body = data.encode() if isinstance(data, str) else data
        self._ask(lambda files: files.write(path, body, mode=mode, append=append), path)
        self.touch()

    def put(self, path: str, data: bytes | str, *, mode: int | None = None) -> None:
        """Write the file and make the directories above it."""
        self.mkdir(path.rpartition("/")[0])
        self.write(path, data, mode=mode)

    def mkdir(self, path: str, *, mode: int | None = None) -> None:
        """Make the directory and those above it; one that exists stays as it is."""
        self._ask(lambda files: files.mkdir(path, mode), path)

    def symlink(self, text: str, path: str) -> None:
        """Point the link at `text`, replacing what was there in one step."""
        self._ask(lambda files: files.symlink(text, path), path)
        self.touch()

    def rename(self, source: str, target: str) -> None:
        """The file moved without following a last link; an existing target is replaced as POSIX wants it."""
        self._ask(lambda files: files.rename(source, target), target)
        self.touch()

    def remove(self, path: str) -> None:
        """Nothing at `path` afterwards, were it a file, a link or a whole directory."""
        self._ask(lambda files: files.remove(path), path)
        self.touch()

    def chmod(self, path: str, mode: int) -> None:
        """Give what `path` leads to this mode."""
        self._ask(lambda files: files.chmod(path, mode), path)

    def set_time(self, path: str, seconds: float) -> None:
        """Give the file, or the link itself, this time of its last change."""
        self._ask(lambda files: files.set_time(path, seconds), path)

    def later(self, path: str, place: Callable[[Path], None]) -> None:
        """Let `place` make the directory, now or, where the files are in memory, as soon as somebody looks there."""
        if isinstance(self._files, MemoryFiles):
            self._files.later(path, place)
        else:
            place(self.real(path))

    def check_read(self, path: str, uid: int) -> None:
        """Raise EACCES when `uid` may not read the file; root may read everything."""
        resolved = self.resolve(path)
        if uid == 0 or _owned(resolved):
            return
        parts = parts_of(resolved)
        for index in range(len(parts)):
            self._check_other(parts[:index], 0o001, path)
        self._check_other(parts, 0o004, path)

    def _check_other(self, parts: list[str], bit: int, path: str) -> None:
        name = "/" + "/".join(parts)
        if self.exists(name) and not self.stat(name).st_mode & bit:
            raise error(errno.EACCES, path)

    def check_write(self, path: str, uid: int) -> None:
        """Refuse with EACCES when `uid` may not change `path`; root may change everything but the store."""
        resolved = self.resolve(path, follow_last=False)
        if resolved.startswith("/nix/store/"):
            raise error(errno.EROFS, path)
        if uid != 0 and not _owned(resolved):
            raise error(errno.EACCES, path)

    def touch(self) -> None:
        """Wake everybody who waits for a change in this tree."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Wait until something in this tree is written through this object."""
        await self._changed.wait()


def _owned(resolved: str) -> bool:
    return any(resolved == top or resolved.startswith(top + "/") for top in USER_OWNED)


def clear(tree: VirtualRoot, paths: Iterable[str]) -> None:
    """Remove what lies in each directory and keep the directory: what a reboot does to a tmpfs."""
    for path in paths:
        for name in tree.listdir(path) if tree.is_dir(path) else ():
            tree.remove(f"{path}/{name}")
