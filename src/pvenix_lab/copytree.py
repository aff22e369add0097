"""Copies one directory tree to many places; the source is listed once."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeImage:
    """A listed tree: directories before what lies in them. `immutable` files are never changed in place, only replaced."""

    root: Path
    directories: tuple[str, ...]
    files: tuple[str, ...]
    immutable: frozenset[str]

    @classmethod
    def of(cls, root: Path) -> TreeImage:
        """List a tree of plain files and directories."""
        directories, files = [], []
        for folder, names, plain in os.walk(root):
            here = os.path.relpath(folder, root)
            directories += [os.path.normpath(f"{here}/{name}") for name in names]
            files += [os.path.normpath(f"{here}/{name}") for name in plain]
        fixed = frozenset(name for name in files if name.startswith(".git/objects/"))
        return cls(root=root, directories=tuple(directories), files=tuple(files), immutable=fixed)

    def place(self, target: Path, *, share: bool) -> None:
        """Put a copy at `target`. With `share` all but Git's own changing files are hard links.

        Links save most of the time with a hundred guests; programs of the guests break them before they write, but somebody who
        edits such a file from outside edits it for every guest.
        """
        base, source = f"{target}/", f"{self.root}/"
        target.mkdir(parents=True, exist_ok=True)
        for name in self.directories:
            os.mkdir(base + name)  # noqa: PTH102 - strings: this runs for every directory of every guest
        for name in self.files:
            if name in self.immutable or (share and not name.startswith(".git/")):
                os.link(source + name, base + name)
            else:
                shutil.copy2(source + name, base + name)
