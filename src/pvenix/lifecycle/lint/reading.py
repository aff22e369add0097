"""The files of a fleet as texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pvenix.model.errors import UsageError

_LARGEST: Final = 1 << 20
"""Bytes; what is larger was not written by hand."""
_READ_AS_TEXT: Final = frozenset({".nix", ".yaml", ".yml"})
"""What Nix and pvenix read as text whatever is in it; other files with a NUL are pictures, archives and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What was read, by the path from the fleet's root; and what was not and should have been, with the reason."""

    texts: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Unread:
    why: str


def read_files(root: Path, names: Sequence[str] | None, paths: Sequence[Path] = ()) -> Files:
    """Every text file: of `names`, or of everything below `root` where that is None.

    With `paths` only those files, and what is in those directories. Links are not followed: they may lead anywhere;
    one that is named is told as unread.
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
    read = {_name(file, root): _text(file, named=file in wanted) for file in sorted(found)}
    return Files(
        texts={name: text for name, text in read.items() if isinstance(text, str)},
        unread={name: text.why for name, text in read.items() if isinstance(text, _Unread)},
    )


def _below(path: Path) -> Iterator[Path]:
    """The files below a directory, or the file itself; hidden directories hold what programs keep there."""
    if path.is_file():
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder) / name for name in files)


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if root in file.parents else str(file)


def _text(file: Path, *, named: bool) -> str | _Unread | None:
    """None for what holds no text, or went away meanwhile."""
    try:
        if file.is_symlink():
            return _Unread("it is a link") if named else None
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _Unread(error.strerror or str(error))
    if b"\0" in data:
        return _Unread("it holds a NUL byte") if named or file.suffix in _READ_AS_TEXT else None
    return _Unread("it is larger than 1 MiB") if len(data) > _LARGEST else data.decode("utf-8", "replace")
