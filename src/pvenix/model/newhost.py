"""A host that a person is about to add to the inventory: what they ask for, and what is said of it before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Asked(StrEnum):
    """What a person is asked of a new host, in the order in which people think of it."""

    NAME = "name"
    ROLES = "roles"
    GROUPS = "groups"
    CLASS = "class"
    CORES = "cores"
    MEMORY = "memory"
    DISK = "disk"
    ZONE = "zone"
    ADDRESS = "address"
    NODE = "node"
    TEMPLATE = "template"


PATHS: Final[Mapping[Asked, tuple[str, ...]]] = {
    Asked.CLASS: ("class",),
    Asked.ROLES: ("roles",),
    Asked.CORES: ("cores",),
    Asked.MEMORY: ("memory",),
    Asked.DISK: ("disk",),
    Asked.ZONE: ("network", "zone"),
    Asked.ADDRESS: ("network", "address"),
    Asked.NODE: ("proxmox", "node"),
    Asked.TEMPLATE: ("template",),
}
"""Where each is among the machine fields, in the order in which people write them."""
LISTS: Final = frozenset({Asked.ROLES, Asked.GROUPS})
"""What may be several, parted by commas or spaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHost:
    """A host as it would be listed; what is not said comes from the layers below."""

    name: str
    groups: tuple[str, ...] = ()
    """Groups of hosts.yaml; none is `all`. The first one's entry has the fields."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """Its machine fields, in the order in which they are written."""

    @classmethod
    def of(cls, values: Mapping[Asked, str]) -> NewHost:
        """The host that these texts mean; an empty one says nothing."""
        machine: dict[str, Any] = {}
        for asked, (*way, last) in PATHS.items():
            text = values.get(asked, "").strip()
            if not text:
                continue
            place = machine
            for key in way:
                place = place.setdefault(key, {})
            place[last] = words_of(text) if asked in LISTS else int(text) if _is_number(text) else text
        return cls(
            name=values.get(Asked.NAME, "").strip(),
            groups=tuple(words_of(values.get(Asked.GROUPS, ""))),
            machine=machine,
        )


def words_of(text: str) -> list[str]:
    """The words of a list as typed, each once."""
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value that may be chosen."""

    value: str
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What counts when nothing is said, or what was said, and who says so."""

    value: str
    why: str
    """The layer with its place, such as `class small, inventory/site.yaml:97`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A new host tried on the fleet; nothing was written."""

    diff: str = ""
    """The unified diff of the inventory's file, empty when the line cannot even be put there."""
    file: str = ""
    """The file, relative to the fleet's root."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by what was asked; under `` what is wrong with the whole."""
    warnings: tuple[str, ...] = ()
    """What may be meant, but should be looked at."""
    effective: Mapping[Asked, Effective] = field(default_factory=dict)
    """Empty while something is wrong."""
    options: Mapping[Asked, tuple[Option, ...]] = field(default_factory=dict)
    """What may be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Where a host would go."""

    node: str = ""
    """Empty when there is no place."""
    words: str = ""
    """Node, storage, VM id and way, or why there is no place."""
    nodes: tuple[Option, ...] = ()
    """Every node, the best first, with its points or why it cannot take the host."""
    refused: frozenset[str] = frozenset()
    """The nodes that cannot."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was written of a new host."""

    file: str
    """Relative to the fleet's root."""
    diff: str
    staged: bool
    """True when the file is in Git's index; nothing is committed: registration commits the line."""
