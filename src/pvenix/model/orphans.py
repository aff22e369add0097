"""What is left at Proxmox that no host of the fleet has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OrphanKind(StrEnum):
    """How something came to be nobody's."""

    VANISHED = "host vanished"
    """A VM with our marker whose host the inventory no longer has."""
    DOUBLE = "second VM"
    """A VM with our marker whose host has another one."""
    STUB = "unfinished clone"
    """A VM that is locked by a clone which no task makes any more."""
    RUN = "unfinished run"
    """A VM that an unfinished run of this machine was about to make, or made."""
    VOLUME = "volume"
    """A disk of a VM id that no VM has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """One of them, and what may be done."""

    kind: OrphanKind
    vmid: int
    node: str = ""
    name: str = ""
    """What Proxmox calls it; of a volume its id."""
    host: str = ""
    """The host that it was made for, as far as is known."""
    why: str = ""
    ways: tuple[str, ...] = ()
    """Commands, one of which ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """All that were found."""

    found: tuple[Orphan, ...]
    unseen: tuple[str, ...]
    """What could not be looked at, a line each: nothing found there means nothing."""
