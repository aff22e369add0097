"""A guest's file tree: virtual absolute paths mapped into one directory of the lab, never outside of it.

Symbolic links are stored with the text that a real guest has (`/nix/store/…`), and followed here, inside the tree.
Modes are those of the real files; every file counts as root's, except below the home and the temporary directories.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_LINKS = 40  # Linux's limit, then ELOOP
USER_OWNED = ("/home/tappaas", "/tmp", "/var/tmp", "/run/user/1000")  # noqa: S108 - paths inside the guest's tree


def parts_of(path: str) -> list[str]:
    """The components of `path` without empty ones and dots."""
    return [part for part in path.split("/") if part not in ("", ".")]


def error(code: int, path: str) -> OSError:
    """An OSError that names the guest's own path."""
    return OSError(code, os.strerror(code), path)


def reason(exc: OSError) -> str:
    """The C library's text of an error."""
    return os.strerror(exc.errno) if exc.errno else str(exc)


class VirtualRoot:
    """The file tree of one guest. Every method takes the guest's absolute paths and raises OSError naming them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._base = str(root)
        self._changed = asyncio.Event()

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """`path` without symbolic links, dots and parents (`realpath -m`); the last link stays if not `follow_last`.

        Raises:
            OSError: ELOOP when links never end.
        """
        todo = parts_of(path)[::-1]
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
                continue
            target = self._link_text([*done, part]) if todo or follow_last else None
            if target is None:
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise error(errno.ELOOP, path)
            if target.startswith("/"):
                done.clear()
            todo.extend(parts_of(target)[::-1])
        return "/" + "/".join(done)

    def _link_text(self, parts: list[str]) -> str | None:
        try:
            # a string, not a Path: this runs for every component of every path
            return os.readlink("/".join((self._base, *parts)))  # noqa: PTH115
        except OSError:
            return None

    def real(self, path: str, *, follow_last: bool = True) -> Path:
        """Where `path` lies in the lab's directory; nothing of it is a link that could lead out."""
        return Path(self._base + self.resolve(path, follow_last=follow_last))

    def stat(self, path: str, *, follow_last: bool = True) -> os.stat_result:
        """The status of the file."""
        try:
            return self.real(path, follow_last=follow_last).lstat()
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None

    def exists(self, path: str, *, follow_last: bool = True) -> bool:
        """True if something is there (for a link: if its target is)."""
        try:
            self.stat(path, follow_last=follow_last)
        except OSError:
            return False
        return True

    def is_dir(self, path: str) -> bool:
        """True if `path` is, or leads to, a directory."""
        return self.exists(path) and stat.S_ISDIR(self.stat(path).st_mode)

    def readlink(self, path: str) -> str:
        """The text of the link, or the empty string if it is none."""
        return self._link_text(parts_of(self.resolve(path, follow_last=False))) or ""

    def listdir(self, path: str) -> list[str]:
        """The names in the directory, sorted."""
        try:
            return sorted(entry.name for entry in self.real(path).iterdir())
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None

    def read(self, path: str, *, offset: int = 0) -> bytes:
        """The content of the file from byte `offset` on."""
        try:
            with self.real(path).open("rb") as file:
                file.seek(offset)
                return file.read()
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None

    def read_text(self, path: str) -> str:
        """The content of the file as UTF-8, or the empty string if it is not there."""
        try:
            return self.read(path).decode("utf-8", "replace")
        except OSError:
            return ""

    def write(self, path: str, data: bytes | str, *, mode: int | None = None, append: bool = False) -> None:
        """Write the file. A file that other guests share by a hard link gets a copy of its own first."""
        body = data.encode() if isinstance(data, str) else data
        real = self.real(path)
        try:
            if real.is_file() and real.stat().st_nlink > 1:
                before = real.read_bytes() if append else b""
                kept = real.stat().st_mode
                real.unlink()
                real.write_bytes(before)
                real.chmod(stat.S_IMODE(kept))
            with real.open("ab" if append else "wb") as file:
                file.write(body)
            if mode is not None:
                real.chmod(mode)
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None
        self.touch()

    def put(self, path: str, data: bytes | str, *, mode: int | None = None) -> None:
        """Write the file and make the directories above it."""
        self.mkdir(path.rpartition("/")[0])
        self.write(path, data, mode=mode)

    def mkdir(self, path: str, *, mode: int | None = None) -> None:
        """Make the directory and those above it; one that exists stays as it is."""
        real = self.real(path)
        try:
            real.mkdir(parents=True, exist_ok=True)
            if mode is not None:
                real.chmod(mode)
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None

    def symlink(self, text: str, path: str) -> None:
        """Point the link at `text`, replacing what was there in one step."""
        real = self.real(path, follow_last=False)
        real.parent.mkdir(parents=True, exist_ok=True)
        temporary = real.with_name(f".{real.name}.tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(text)
        try:
            temporary.replace(real)
        except OSError as exc:
            temporary.unlink()
            raise error(exc.errno or errno.EIO, path) from None
        self.touch()

    def rename(self, source: str, target: str) -> None:
        """The file moved without following a last link; an existing target is replaced as POSIX wants it."""
        old, new = self.real(source, follow_last=False), self.real(target, follow_last=False)
        try:
            old.rename(new)
        except OSError as exc:
            raise error(exc.errno or errno.EIO, target) from None
        self.touch()

    def remove(self, path: str) -> None:
        """Nothing at `path` afterwards, were it a file, a link or a whole directory."""
        real = self.real(path, follow_last=False)
        if real.is_dir() and not real.is_symlink():
            shutil.rmtree(real)
        else:
            real.unlink(missing_ok=True)
        self.touch()

    def chmod(self, path: str, mode: int) -> None:
        """Give what `path` leads to this mode."""
        try:
            self.real(path).chmod(mode)
        except OSError as exc:
            raise error(exc.errno or errno.EIO, path) from None

    def set_time(self, path: str, seconds: float) -> None:
        """Give the file, or the link itself, this time of its last change."""
        os.utime(self.real(path, follow_last=False), (seconds, seconds), follow_symlinks=False)

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
