"""Secrets by reference: read when needed, never stored, never shown."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from typing_extensions import override

from pvenix.model.errors import Refused, UsageError
from pvenix.model.site import SecretRef

_COMMAND_TIMEOUT_S = 30


class Secret:
    """A secret that prints as asterisks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: Final = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(****)"

    __str__ = __repr__


def resolve(reference: SecretRef, *, purpose: str) -> Secret:
    """The secret that `reference` names.

    Raises: UsageError when it is not there, Refused when its file is open to others.
    """
    if reference.env:
        value = os.environ.get(reference.env, "")
        if not value:
            raise UsageError(
                f"{purpose} is not set",
                hint=f"export {reference.env}=…; to try things on a simulated site that needs none, add --lab",
                code="PVX0301",
            )
        return Secret(value)
    if reference.file is not None:
        return Secret(_from_file(reference.file, purpose))
    return Secret(_from_command(reference.command, purpose))


def _from_file(path: Path, purpose: str) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text().strip()
    except OSError as error:
        raise UsageError(f"{purpose} cannot be read", why=str(error), code="PVX0302") from error
    if mode & 0o077:
        raise Refused(
            f"{path} can be read by others", why=f"mode {mode & 0o777:o}", hint=f"chmod 600 {path}", code="PVX0303"
        )
    return text


def _from_command(command: tuple[str, ...], purpose: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"{purpose} cannot be had from `{command[0] if command else ''}`",
            why=type(error).__name__,
            hint="run the command by hand; its standard output must be the secret",
            code="PVX0304",
        ) from error
    return done.stdout.rstrip("\n")
