"""The files of a fleet as texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pvenix.model.errors import UsageError

_LARGEST: Final = 1 << 20
"""Bytes; what is larger was not written by hand."""


def read_files(root: Path, names: Sequence[str] | None, paths: Sequence[Path] = ()) -> dict[str, str]:
    """Every text file by its path from `root`: of `names`, or of everything below `root` where that is None.

    With `paths` only those files, and what is in those directories. Links are not followed: they may lead anywhere.
    Raises: UsageError for a path that is not there.
    """
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no {missing}", hint="name files or directories, or none for the whole fleet")
    wanted = [path.absolute() for path in paths]
    found = {root / name for name in names} if names is not None else set(_below(root))
    if wanted:
        inside = {file for file in found for path in wanted if file == path or path in file.parents}
        found = inside | {file for path in wanted if root not in (path, *path.parents) for file in _below(path)}
        found |= {path for path in wanted if path.is_file()}
    return {_name(file, root): text for file in sorted(found) if (text := _text(file)) is not None}


def _below(path: Path) -> Iterator[Path]:
    """The files below a directory, or the file itself; hidden directories hold what programs keep there."""
    if path.is_file():
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder) / name for name in files)


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if root in file.parents else str(file)


def _text(file: Path) -> str | None:
    """None for what is no text of a sensible size, or went away meanwhile."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > _LARGEST:
            return None
        data = file.read_bytes()
    except OSError:
        return None
    return None if b"\0" in data else data.decode("utf-8", "replace")
