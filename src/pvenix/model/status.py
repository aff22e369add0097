"""The state of a host as a table row shows it."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.model.generation import HostFacts, Sync


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """What is known of a host at one moment."""

    host: str
    sync: Sync
    seen_at: str
    """UTC, ISO 8601: when this was read."""
    expected: str = ""
    """The commit that the host should run."""
    facts: HostFacts | None = None
    vmid: int = 0
    node: str = ""
    power: str = ""
    """`running`, `stopped` or empty when there is no VM."""
    generation: int = 0
    """The number of the profile's generation, 0 when unknown."""
    address: str = ""
    """Where it answered."""
    address_why: str = ""
    """How that address was chosen, in words."""
    address_at: str = ""
    """UTC, ISO 8601: when it was chosen."""
    problem: str = ""
    """Why less is known than asked for."""
