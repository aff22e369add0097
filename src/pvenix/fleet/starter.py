"""The starter fleet that ships with pvenix."""

from __future__ import annotations

import shutil
from pathlib import Path

from pvenix.model.errors import LocalResource, UsageError

PARTS = ("inventory", "playbooks", "nix")


def starter() -> Path:
    """The directory that holds the starter's `inventory`, `playbooks` and `nix`.

    In a wheel it is inside the package, in a checkout it is the root.
    Raises: LocalResource when the installation has none.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "starter", package.parent.parent):
        if all((folder / part).is_dir() for part in PARTS):
            return folder
    raise LocalResource("the starter fleet is missing from this installation", hint="install pvenix again")


def copy_starter(target: Path) -> tuple[Path, ...]:
    """Copies the starter into the directory `target`, which is made when absent; the files written, relative to it.

    Raises: UsageError when `target` has one of the starter's files already (nothing is written then),
    LocalResource when it cannot be written.
    """
    source = starter()
    files = [
        path.relative_to(source)
        for part in PARTS
        for path in sorted((source / part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    there = next((path for path in files if (target / path).exists()), None)
    if there is not None:
        raise UsageError(f"{target / there} exists already", hint="choose an empty directory; nothing was written")
    try:
        for path in files:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / path, target / path)
    except OSError as error:
        raise LocalResource(f"the starter cannot be written to {target}", why=str(error)) from error
    return tuple(files)
