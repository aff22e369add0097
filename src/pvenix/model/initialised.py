"""The end of `pvenix init --remote`."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.model.names import CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """How the fleet's repository is now."""

    tip: CommitId
    """The commit of the main branch."""
    changed: bool
    """False when everything was as it should be."""
    advice: tuple[str, ...] = ()
    """What the person should still do, in sentences."""
