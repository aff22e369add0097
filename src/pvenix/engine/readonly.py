"""Looking without changing: where a fleet is opened read-only, whatever would change something refuses first."""

from __future__ import annotations

import os
from typing import Final

from pvenix.model.errors import ReadOnly

VARIABLE: Final = "PVENIX_READ_ONLY"
"""Set to anything but nothing, 0, false, no or off: this process and those that it starts change nothing."""


def by_environment() -> bool:
    """Whether this process was told to change nothing."""
    return os.environ.get(VARIABLE, "").strip().lower() not in ("", "0", "false", "no", "off")


def refuse(what: str) -> None:
    """Say that `what` (`start a run`) is not done here.

    Raises: ReadOnly, always.
    """
    raise ReadOnly(
        f"pvenix is read-only here and does not {what}",
        hint=f"go on without --read-only, with {VARIABLE} unset; a dry run (--check) is allowed",
    )
