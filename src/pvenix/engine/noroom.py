"""A file of a run that takes nothing more, most often because its disk is full."""

from __future__ import annotations

from pathlib import Path

from pvenix.model.errors import LocalResource


def no_room(what: str, path: Path, error: OSError, *, then: str = "then `pvenix resume`") -> LocalResource:
    """What to raise: `what` cannot be done to the file `path`, and what a person does about it."""
    return LocalResource(what, why=f"{path}: {error.strerror or error}", hint=f"make room there, {then}")
