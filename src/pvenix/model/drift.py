"""What was edited in a host's /etc/nixos, file by file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pvenix.model.status import HardwareLook


class Edit(StrEnum):
    """What became of a file on a host."""

    CHANGED = "changed"
    ADDED = "added"
    """In no commit."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFile:
    """One file of /etc/nixos that is not as its commit has it."""

    path: str
    """Relative to /etc/nixos."""
    edit: Edit
    unified: str = ""
    """The difference, invisible characters written out; empty when it cannot be shown."""
    added: int = 0
    """Lines."""
    removed: int = 0
    stays: str = ""
    """Why it cannot be taken into a branch; empty when it can."""
    shared: bool = False
    """True when other hosts are made of it too: what is adopted of it reaches them with the merge."""
    merged: bool = False
    """True when the commit that the host should run has the very text: a rebuild loses nothing of it."""
    ignored: str = ""
    """The pattern of the inventory that says that it is no drift; empty when none does."""
    live: str | None = field(default=None, repr=False)
    """Its text on the host; None when it is deleted or was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDrift:
    """A host's /etc/nixos against the repository."""

    host: str
    checkout: str
    """The commit that /etc/nixos is at; empty when there is none."""
    base: str
    """The newest commit of the main branch that `checkout` comes from: what `files` are compared with."""
    expected: str
    """The commit that the host should run."""
    files: tuple[DriftFile, ...] = ()
    more: int = 0
    """Edited files beyond those in `files`, which are not read."""
    other: tuple[str, ...] = ()
    """What else was changed behind the repository's back, a line each."""
    hardware: HardwareLook | None = None
    """None when nobody looked: it costs seconds of the host's."""

    @property
    def counted(self) -> tuple[DriftFile, ...]:
        """The files that are drift: those that no pattern ignores."""
        return tuple(file for file in self.files if not file.ignored)

    @property
    def adoptable(self) -> tuple[DriftFile, ...]:
        """The files that can be taken into a branch."""
        return tuple(file for file in self.counted if not file.stays)
