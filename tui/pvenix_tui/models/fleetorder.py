"""The orders that the fleet's table can have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from typing_extensions import override

from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.models.lastrun import LastRun


class Sorting(StrEnum):
    """What hosts are ordered by."""

    INVENTORY = "inventory"
    NAME = "name"
    STATE = "state"
    ROLE = "role"
    NODE = "node"
    GENERATION = "generation"
    AGE = "age of reading"
    LAST_RUN = "last run"


HELP: Final = {
    Sorting.INVENTORY: "as the hosts stand in inventory/hosts.yaml",
    Sorting.NAME: "by name; web2 before web10",
    Sorting.STATE: "what needs a person first",
    Sorting.ROLE: "by roles",
    Sorting.NODE: "by node of Proxmox; hosts without one last",
    Sorting.GENERATION: "lowest generation first",
    Sorting.AGE: "longest not read first",
    Sorting.LAST_RUN: "failed first, then the newest",
}
SETTLED: Final = frozenset({Sorting.INVENTORY, Sorting.NAME, Sorting.ROLE})
"""Orders that no reading changes."""
STATE_RANK: Final = {
    sync: rank
    for rank, sync in enumerate((
        Sync.UNREACHABLE, Sync.UNKNOWN, Sync.DRIFTED, Sync.REBOOT, Sync.BEHIND, Sync.TESTING, Sync.STAGED,
        Sync.UNREGISTERED, Sync.ABSENT, Sync.IN_SYNC,
    ))
}  # fmt: skip
TROUBLE: Final = frozenset({Sync.UNREACHABLE, Sync.UNKNOWN, Sync.DRIFTED, Sync.REBOOT, Sync.BEHIND})
"""States that a person has to do something about."""
_NUMBER: Final = re.compile(r"(\d+)")
_LAST: Final = "\U0010ffff"
"""Sorts behind every name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order and its direction."""

    by: Sorting = Sorting.INVENTORY
    backwards: bool = False

    @classmethod
    def read(cls, text: str) -> Order:
        """What `str` wrote; the inventory's order for anything else."""
        name = text.removeprefix("-")
        by = next((each for each in Sorting if each.value == name), None)
        return cls(by=by, backwards=name != text) if by is not None else cls()

    @override
    def __str__(self) -> str:
        return f"{'-' if self.backwards else ''}{self.by}"

    def picked(self, by: Sorting) -> Order:
        """The order after a person chose `by`: the same one again turns it round."""
        return Order(by=by, backwards=by is self.by and not self.backwards)


def sort_key(
    order: Order, name: str, roles: tuple[str, ...], status: HostStatus | None, last: LastRun | None
) -> tuple[object, ...]:
    """What a host is compared by; hosts that are equal stay in the inventory's order."""
    match order.by:
        case Sorting.NAME:
            return _natural(name)
        case Sorting.ROLE:
            return (" ".join(roles),)
        case Sorting.STATE:
            return (STATE_RANK[status.sync] if status else len(STATE_RANK),)
        case Sorting.NODE:
            return (status.node if status and status.node else _LAST,)
        case Sorting.GENERATION:
            return (status.generation if status and status.generation else 1 << 31,)
        case Sorting.AGE:
            return ((status.last or status).seen_at if status else "",)
        case Sorting.LAST_RUN:
            return (last.rank, _reversed(last.at)) if last else (1 << 31, "")
        case _:
            return ()


def _natural(name: str) -> tuple[object, ...]:
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(name))


def _reversed(stamp: str) -> str:
    """A time of which later ones sort first."""
    return "".join(chr(0x7E - ord(character) + 0x20) if " " <= character <= "~" else character for character in stamp)
