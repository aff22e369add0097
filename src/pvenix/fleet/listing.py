"""The names of an inventory, kept in a file: what a front end shows before the inventory is parsed.

It holds for the very files that it was made of (`stamp`), and nothing is decided by it: whoever changes something reads
the inventory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pvenix.fleet.stamp import stamp
from pvenix.model.selector import Facts, Universe, parse_selector

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet

SCHEMA: Final = "pvenix/listing/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A host by name."""

    name: str
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    """With `role_<name>` for each role."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """The hosts and groups of a fleet, as its files say."""

    hosts: Mapping[str, Listed]
    """In the inventory's order."""
    groups: Mapping[str, tuple[str, ...]]
    state: Path
    """Where the fleet's state is kept on this machine."""
    universe: Universe

    def select(self, expr: str, facts: Facts | None = None) -> tuple[str, ...]:
        """As `Fleet.select`."""
        return parse_selector(expr).match(self.universe, facts)


def read_listing(root: Path, inventory: Path | None = None) -> Listing | None:
    """What was kept of the inventory; None when there is nothing, it cannot be read, or the files have changed since."""
    try:
        document = json.loads(_file(root, inventory).read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA or document["stamp"] != _digest(root, inventory):
            return None
        names = document["groups"]
        hosts = {
            name: Listed(name=name, roles=tuple(roles), groups=tuple(names[index] for index in groups))
            for name, roles, groups in document["hosts"]
        }
        unmanaged = frozenset(document["unmanaged"])
        state = Path(document["state"])
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    groups = _members(hosts)
    managed = {name: tuple(host for host in members if host not in unmanaged) for name, members in groups.items()}
    universe = Universe(
        hosts=tuple(name for name in hosts if name not in unmanaged),
        groups=managed,
        named=tuple(name for name in hosts if name in unmanaged),
    )
    return Listing(hosts=hosts, groups=groups, state=state, universe=universe)


def keep_listing(fleet: Fleet, state: Path, *, seen: Sequence[object], inventory: Path | None = None) -> None:
    """Keep the names of a fleet whose files were stamped `seen`; a disk that does not take them is left alone."""
    names = {group: index for index, group in enumerate(dict.fromkeys(_all_groups(fleet)))}
    document = {
        "schema": SCHEMA,
        "stamp": _hash(seen),
        "state": str(state),
        "groups": list(names),
        "hosts": [
            [host.name, list(host.roles), [names[group] for group in host.groups]] for host in fleet.hosts.values()
        ],
        "unmanaged": list(fleet.universe.named),
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    file = _file(fleet.root, inventory)
    with contextlib.suppress(OSError):
        if file.exists() and file.read_bytes() == data:
            return
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_name(f".{file.name}-{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
            new.write(data)
        temporary.replace(file)


def _all_groups(fleet: Fleet) -> list[str]:
    return [*fleet.groups, *(group for host in fleet.hosts.values() for group in host.groups)]


def _members(hosts: Mapping[str, Listed]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for host in hosts.values():
        for group in host.groups:
            groups.setdefault(group, []).append(host.name)
    return {name: tuple(members) for name, members in groups.items()}


def _file(root: Path, inventory: Path | None) -> Path:
    """Beside the fleet's cache, which is named only by the parsed site."""
    from platformdirs import user_cache_path

    words = f"{root.absolute()}\0{inventory.absolute() if inventory else ''}"
    return user_cache_path("pvenix") / "listings" / f"{hashlib.sha256(words.encode()).hexdigest()[:16]}.json"


def _digest(root: Path, inventory: Path | None) -> str:
    return _hash(stamp(root, inventory))


def _hash(seen: Sequence[object]) -> str:
    return hashlib.sha256(repr(seen).encode()).hexdigest()
