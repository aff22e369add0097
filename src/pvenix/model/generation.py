"""A NixOS system generation and the four facts of a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EDITED: Final = "edited in /etc/nixos: "
"""How the line of `drift` begins that names files."""
_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One entry of the system profile."""

    number: int
    date: str
    """`YYYY-MM-DD HH:MM:SS`, UTC."""
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
    """The boot default is another system than the one that runs, and that one was booted."""
    TESTING = "testing"
    """A system runs that is neither the boot default nor what was booted."""
    BEHIND = "behind"
    DRIFTED = "drifted"
    REBOOT = "reboot needed"
    """All is as it should be but for the kernel, the initrd or the modules that were booted."""
    UNREGISTERED = "unregistered"
    UNREACHABLE = "unreachable"
    ABSENT = "no VM"
    UNKNOWN = "unknown"
    """Not enough could be read to say."""

    @property
    def answered(self) -> bool:
        """False when the host did not say what it runs, or not all of it."""
        return self not in (Sync.UNREACHABLE, Sync.UNKNOWN)


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
    """Commit of /etc/nixos, empty where that is no repository with one."""
    edits: tuple[str, ...] = ()
    """Lines of `git status --porcelain` in /etc/nixos."""
    failed_units: tuple[str, ...] = ()
    starts: str = ""
    """What the boot loader starts next time; empty where that cannot be read."""
    fence: tuple[str, ...] = ()
    """Who holds the host's fence: the attempt that activates, empty when none does."""
    generation: int = 0
    """The number of the profile's generation, 0 when unknown."""
    reboot: tuple[str, ...] = ()
    """Which of kernel, initrd and kernel-modules the profile has otherwise than what was booted."""

    @property
    def settled(self) -> bool:
        """True when what runs is what the profile names and, as far as is known, what the boot loader starts."""
        return self.current == self.profile == (self.starts or self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What the repository says of the commits that were found on a host."""

    expected: str
    """The commit that the host should run; empty when it is not known."""
    runs_ancestor: bool = False
    """True when the main branch holds the commit that the running system was built from."""
    checkout_newer: bool = False
    """True when /etc/nixos is at a commit of the main branch that holds the one that runs: brought, and not active."""


def drift(facts: HostFacts, lineage: Lineage) -> tuple[str, ...]:
    """What was changed on the host behind the repository's back, a line each."""
    found = [f"{EDITED}{_some(facts.edits)}"] if facts.edits else []
    if not facts.checkout:
        found.append("/etc/nixos is no Git checkout")
    elif facts.revision and facts.checkout != facts.revision and not lineage.checkout_newer:
        found.append(
            f"/etc/nixos is at {facts.checkout[:10]}, the system that runs was built from {facts.revision[:10]}"
        )
    if not facts.revision:
        found.append("the system that runs names no commit")
    elif lineage.expected and facts.revision != lineage.expected and not lineage.runs_ancestor:
        found.append(f"runs {facts.revision[:10]}, which the main branch does not hold")
    return tuple(found)


def _some(edits: Sequence[str]) -> str:
    more = f" and {len(edits) - _SHOWN} more" if len(edits) > _SHOWN else ""
    return ", ".join(line.strip() for line in edits[:_SHOWN]) + more


def sync_state(facts: HostFacts, lineage: Lineage, *, drifted: bool) -> Sync:
    """The one word for a host: what was changed by hand before what is under way, and that before what is due."""
    if drifted:
        return Sync.DRIFTED
    if not facts.settled:
        return Sync.STAGED if facts.booted == facts.current else Sync.TESTING
    if not lineage.expected:
        return Sync.UNKNOWN
    if facts.revision != lineage.expected:
        return Sync.BEHIND
    return Sync.REBOOT if facts.reboot else Sync.IN_SYNC


NOT_UNDONE: Final = (
    "data stays as it is: /var/lib, /home, databases with their schemas, and everything else outside the Nix store",
    "so do the VM's hardware, its cloud-init drive, its snapshots, DNS and whatever other machines were told",
    "secrets that were changed meanwhile stay changed",
)
"""What no earlier generation brings back, a line each."""

CONFIRMED_BY: Final = "contact over a new connection and failed units; what roles check is not asked: it describes the main branch's system"
"""What an earlier generation has to pass to stay once it was activated, see `lifecycle.rollback.apply`."""
