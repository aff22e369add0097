"""The state of a host as a table row shows it, and the ways to its console."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to a host's console."""

    kind: str
    """`ssh`, `serial` or `web`."""
    argv: tuple[str, ...] = ()
    """The command; empty for a page of the web, or when there is none."""
    url: str = ""
    problem: str = ""
    """Why it does not work now, empty when it should."""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Every way to a host's console."""

    host: str
    vmid: int
    """0 when there is no VM, or it is not known."""
    node: str
    power: str
    problem: str
    """Why less is known of its VM."""
    ways: tuple[Way, ...]
