"""The state of a host as a table row shows it, and the ways to its console."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from pvenix.model.generation import HostFacts, Sync


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareLook:
    """What the generator would write on the host now, against the file at the commit that the host runs."""

    diff: str = ""
    """Unified; empty when both are the same."""
    problem: str = ""
    """Why it could not be compared."""

    @property
    def lines(self) -> int:
        """How many lines were added or removed."""
        body = self.diff.splitlines()[2:]
        return sum(line.startswith(("+", "-")) for line in body)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """What is known of a host at one moment."""

    host: str
    sync: Sync
    seen_at: str
    """UTC, ISO 8601: when this was read, and everything in it but the address and `last`."""
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
    resting: bool = False
    """True when the VM is stopped and the inventory wants it so: no answer of it is missed."""
    drift: tuple[str, ...] = ()
    """What was changed on the host behind the repository's back, a line each."""
    hardware: HardwareLook | None = None
    """None when nobody looked: it costs seconds of the host's."""
    registration: str = ""
    """The tip of the host's registration branch while that is not merged."""
    held_by: str = ""
    """Whose attempt holds the host's fence, in words; empty when none does."""
    last: HostStatus | None = None
    """The last reading of a host that does not answer now: what it was at that one's `seen_at`, and no more."""

    def selectable(self) -> dict[str, str]:
        """What selectors such as `state=drifted` look at."""
        due = ("yes" if self.facts.reboot else "no") if self.facts else ""
        return {"state": self.sync.value, "node": self.node, "power": self.power, "reboot": due}


def to_json(status: HostStatus) -> dict[str, object]:
    """The document of a status, as `from_json` reads it."""
    return asdict(status)


def from_json(document: object) -> HostStatus:
    """The status in a document that this or another version wrote: what is not known here is left out.

    Raises: ValueError, TypeError or KeyError when it is none.
    """
    if not isinstance(document, dict):
        raise TypeError("not a status")
    facts, hardware = document.get("facts"), document.get("hardware")
    plain = _known(HostStatus, document) | {"sync": Sync(document["sync"]), "last": None}
    plain["facts"] = HostFacts(**_known(HostFacts, facts)) if isinstance(facts, dict) else None
    plain["hardware"] = HardwareLook(**_known(HardwareLook, hardware)) if isinstance(hardware, dict) else None
    return HostStatus(**plain)


def _known(kind: type[HostStatus | HostFacts | HardwareLook], document: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items() if name in names
    }


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
