"""Where a fleet is; apart from what reads it, so that a front end knows its place before it has loaded a parser."""

from __future__ import annotations

from pathlib import Path

FOLDER = "inventory"


def find_root(start: Path) -> Path | None:
    """The nearest directory at or above `start` that holds a fleet, None when there is none."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if any((folder / FOLDER / name).is_file() for name in ("site.yaml", "hosts.yaml")):
            return folder
    return None


def shown(path: Path, root: Path) -> str:
    """A file as findings name it: relative to the fleet's root where it is below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
