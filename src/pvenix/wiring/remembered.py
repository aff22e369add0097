"""The fleet as it was when somebody last looked at it from this machine: at hand before anything is parsed or asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.engine.readings import Readings
from pvenix.fleet.listing import Listing, keep_listing, read_listing
from pvenix.model.status import HostStatus

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is shown until the inventory is read and hosts answer; nothing is decided by it."""

    listing: Listing
    statuses: Mapping[str, HostStatus]
    """The last reading in which each host answered."""


def remembered(root: Path, inventory: Path | None = None) -> Remembered | None:
    """The last look at the fleet at `root`; None when there was none, or its files have changed since."""
    listing = read_listing(root, inventory)
    if listing is None:
        return None
    return Remembered(listing=listing, statuses=last_readings(listing.state, tuple(listing.hosts)))


def last_readings(state: Path, hosts: tuple[str, ...]) -> dict[str, HostStatus]:
    """The last reading in which each of these hosts answered."""
    readings = Readings(state / READINGS)
    found = ((name, readings.get(name)) for name in hosts)
    return {name: status for name, status in found if status is not None}


READINGS = "readings.json"
"""The file of last readings in a fleet's state directory."""


def remember(fleet: Fleet, state: Path, seen: tuple[object, ...], inventory: Path | None) -> None:
    """Keep the names of a fleet whose files were stamped `seen` for the next look."""
    keep_listing(fleet, state, seen=seen, inventory=inventory)
