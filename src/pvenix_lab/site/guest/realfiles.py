"""A guest's files as files of this machine, below one directory of the lab; in few system calls.

Symbolic links keep the text that a real guest has (`/nix/store/…`) and are followed here, inside the directory. Strings
instead of Paths, as each command of a guest looks at dozens of paths. Every method raises the machine's own OSError.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import Final

MAX_LINKS: Final = 40
"""Linux's limit, then ELOOP."""
_OURS = ("/nix/", "/run/", "/boot/", "/proc/")
"""Where only this object makes links, so that a directory that was none stays none; a real git works elsewhere."""


def parts_of(path: str) -> list[str]:
    """The components of `path` without empty ones and dots."""
    return [part for part in path.split("/") if part not in ("", ".")]


class RealFiles:
    """Takes the guest's absolute paths."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._plain: set[str] = set()

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """`path` without symbolic links, dots and parents (`realpath -m`); the last link stays if not `follow_last`."""
        todo = parts_of(path)[::-1]
        done = [""]  # the directories on the way, each with its whole path
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[max(len(done) - 1, 1) :]
                continue
            here = f"{done[-1]}/{part}"
            target = self._link(here, passing=bool(todo)) if todo or follow_last else None
            if target is None:
                done.append(here)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                del done[1:]
            todo.extend(parts_of(target)[::-1])
        return done[-1] or "/"

    def _link(self, here: str, *, passing: bool) -> str | None:
        if here in self._plain:
            return None
        try:
            return os.readlink(self._base + here)
        except OSError as exc:
            if passing and exc.errno == errno.EINVAL and (here.startswith(_OURS) or here.count("/") == 1):
                self._plain.add(here)
            return None

    def _at(self, path: str, *, follow_last: bool = True) -> str:
        return self._base + self.resolve(path, follow_last=follow_last)

    def stat(self, path: str, *, follow_last: bool = True) -> os.stat_result:
        """The status of the file."""
        return os.lstat(self._at(path, follow_last=follow_last))

    def readlink(self, path: str) -> str:
        """The text of the link, or the empty string if it is none."""
        return self._link(self.resolve(path, follow_last=False), passing=False) or ""

    def listdir(self, path: str) -> list[str]:
        """The names in the directory, sorted."""
        return sorted(os.listdir(self._at(path)))

    def read(self, path: str, offset: int) -> bytes:
        """The content of the file from byte `offset` on."""
        with open(self._at(path), "rb") as file:
            if offset:
                file.seek(offset)
            return file.read()

    def write(self, path: str, body: bytes, *, mode: int | None, append: bool) -> None:
        """Write the file. One that other guests share by a hard link gets a copy of its own first."""
        real = self._at(path)
        _unshare(real, keep=append)
        with open(real, "ab" if append else "wb") as file:
            file.write(body)
        if mode is not None:
            os.chmod(real, mode)

    def mkdir(self, path: str, mode: int | None) -> None:
        """Make the directory and those above it; one that exists stays as it is."""
        real = self._at(path)
        _make_directory(real)
        if mode is not None:
            os.chmod(real, mode)

    def symlink(self, text: str, path: str) -> None:
        """Point the link at `text`, replacing what was there in one step."""
        real = self._at(path, follow_last=False)
        folder, _, name = real.rpartition("/")
        _make_directory(folder)
        _replace_by_link(text, f"{folder}/.{name}.tmp", real)
        self._plain.clear()

    def rename(self, source: str, target: str) -> None:
        """Move without following a last link; an existing target is replaced as POSIX wants it."""
        os.rename(self._at(source, follow_last=False), self._at(target, follow_last=False))
        self._plain.clear()

    def remove(self, path: str) -> None:
        """Nothing at `path` afterwards, were it a file, a link or a whole directory."""
        real = self._at(path, follow_last=False)
        self._plain.clear()
        try:
            directory = stat.S_ISDIR(os.lstat(real).st_mode)
        except FileNotFoundError:
            return
        if directory:
            shutil.rmtree(real)
        else:
            os.unlink(real)

    def chmod(self, path: str, mode: int) -> None:
        """Give what `path` leads to this mode."""
        os.chmod(self._at(path), mode)

    def set_time(self, path: str, seconds: float) -> None:
        """Give the file, or the link itself, this time of its last change."""
        os.utime(self._at(path, follow_last=False), (seconds, seconds), follow_symlinks=False)


def _unshare(real: str, *, keep: bool) -> None:
    """Give a file that has other names a copy of its own; without its content unless `keep`."""
    try:
        seen = os.lstat(real)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink == 1:
        return
    with open(real, "rb") as file:
        before = file.read() if keep else b""
    os.unlink(real)
    with open(real, "wb") as file:
        file.write(before)
    os.chmod(real, stat.S_IMODE(seen.st_mode))


def _make_directory(real: str) -> None:
    try:
        os.mkdir(real)
    except FileExistsError:
        if not os.path.isdir(real):
            raise
    except FileNotFoundError:
        os.makedirs(real, exist_ok=True)


def _replace_by_link(text: str, temporary: str, real: str) -> None:
    try:
        os.symlink(text, temporary)
    except FileExistsError:
        os.unlink(temporary)
        os.symlink(text, temporary)
    try:
        os.replace(temporary, real)
    except OSError:
        os.unlink(temporary)
        raise
