"""A NixOS system generation and the four facts of a host."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One entry of the system profile."""

    number: int
    date: str
    """`YYYY-MM-DD HH:MM:SS`, UTC; of `nix-env --list-generations` as the host prints it, local time."""
    current: bool
    path: str = ""
    revision: str = ""
    """`system.configurationRevision`, empty when the generation has none."""
    nixos: str = ""
    """Version of NixOS."""
    kernel: str = ""
    running: bool = False
    """What runs now, whatever the profile says."""
    booted: bool = False
    boot_default: bool = False
    """What the boot loader starts next time."""
    pinned: bool = False
    """Kept by `pvenix generations pin`."""
    reason: str = ""
    """Why it is pinned."""


class Sync(StrEnum):
    """What the four facts say together."""

    IN_SYNC = "in sync"
    STAGED = "staged"
    TESTING = "testing"
    BEHIND = "behind"
    DRIFTED = "drifted"
    UNREGISTERED = "unregistered"
    UNREACHABLE = "unreachable"
    ABSENT = "no VM"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host runs, read from the host: booted, current, profile, and the revision they were built from."""

    booted: str
    current: str
    profile: str
    revision: str
    """Commit that the running system was built from, empty when it names none."""
    boot_id: str
    checkout: str
    """Commit of /etc/nixos."""
    edits: tuple[str, ...] = ()
    """Lines of `git status --porcelain` in /etc/nixos."""
    failed_units: tuple[str, ...] = ()
    starts: str = ""
    """What the boot loader starts next time; empty where that cannot be read."""
    fence: tuple[str, ...] = ()
    """Who holds the host's fence: the attempt that activates, empty when none does."""

    @property
    def settled(self) -> bool:
        """True when what runs is what the profile names and, as far as is known, what the boot loader starts."""
        return self.current == self.profile == (self.starts or self.profile)


def sync_state(facts: HostFacts, *, expected: str, ancestors: frozenset[str] = frozenset()) -> Sync:
    """The word for `facts` against the commit `expected` on the main branch.

    `ancestors` are commits that `expected` contains; a system built from one of them is behind, from
    anything else it has drifted.
    """
    if facts.edits:
        return Sync.DRIFTED
    if not facts.settled:
        return Sync.STAGED if facts.booted == facts.current else Sync.TESTING
    if facts.revision != expected:
        return Sync.BEHIND if facts.revision in ancestors else Sync.DRIFTED
    return Sync.IN_SYNC
