"""The fleet of the last session on the screen, before the inventory is parsed and anything answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix_tui.remembered.fleet import FleetMemory

if TYPE_CHECKING:
    from pvenix.model.status import HostStatus
    from pvenix_tui.models.fleet import FleetModel
    from pvenix_tui.remembered.memory import Memory


def show_remembered(root: Path, model: FleetModel, memory: Memory) -> bool:
    """Let the model show what was kept of the fleet at `root`; False when nothing was, or it holds no more.

    What it shows is replaced by the inventory's own hosts as soon as that is read; plans are made from the inventory.
    """
    from pvenix.wiring.remembered import remembered

    found = remembered(root)
    if found is None:
        return False
    memory.open(found.listing.state)
    model.load(found.listing.hosts.values(), found.listing.groups, found.listing.select, remembered=True)
    begin(model, memory, found.statuses)
    return True


def begin(model: FleetModel, memory: Memory, readings: Mapping[str, HostStatus]) -> None:
    """Take in the last readings, and put back filter, order and marks as a person left them."""
    model.recall(readings.values())
    FleetMemory(memory).restore(model)
