"""A host's snapshot, as people and programs are shown it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSnapshot:
    """A snapshot of a host's VM."""

    host: str
    vmid: int
    name: str
    parent: str
    """The snapshot that it was taken after, empty for the first one."""
    taken_at: int
    """Seconds since 1970."""
    age_s: int
    memory: bool
    """Whether it holds the running state."""
    ours: bool
    """Whether this fleet's pvenix made it; others it never deletes by itself."""
    present: bool
    """Whether the VM's present state comes after it."""
    unfinished: str
    """`prepare` or `delete` for one that is being made or removed, or was when its task was killed."""
    description: str
    """The first line."""
