"""Writes edits of the fleet's files, all or none: what makes the fleet invalid is taken back."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pvenix.fleet.load import load_fleet
from pvenix.model.errors import LocalResource


def apply_edits(root: Path, texts: Mapping[Path, str], *, inventory: Path | None = None) -> str:
    """Write new texts of files and check the fleet; returns the unified diff of all of them.

    Raises: InvalidInput with all findings when the fleet would be invalid, LocalResource when a file cannot be
    written; the files are as before then.
    """
    before = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in texts}
    try:
        for path, text in texts.items():
            _write(path, text)
        load_fleet(root, inventory=inventory)
    except BaseException:  # an interrupt too must not leave half of an edit
        for path, old in before.items():
            if old is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, old)
        raise
    return "".join(diff_of(path.relative_to(root).as_posix(), before[path] or "", text) for path, text in texts.items())


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, keeping its mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        raise LocalResource(f"{path} cannot be written", why=str(error)) from error


def diff_of(name: str, old: str, new: str) -> str:
    """The unified diff of a file's texts."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    return "".join(f"{line}\n" for line in lines)
