"""The edits that pvenix makes in the inventory: of one machine field, and of who is listed where.

Every function takes the text of a file and gives the new text; reading and writing files is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pvenix.fleet import claims, ranges
from pvenix.fleet.node import Node
from pvenix.fleet.splice import EditRefused, remove_value, set_value
from pvenix.fleet.yaml import parse
from pvenix.model.errors import UsageError
from pvenix.model.names import host_name
from pvenix.model.nearest import did_you_mean
from pvenix.model.paths import HOSTS, vars_file

__all__ = [
    "EditRefused",
    "add_host",
    "listing_of",
    "remove_host",
    "remove_machine",
    "set_claim",
    "set_inline",
    "set_machine",
]

_MACHINE = "machine"


def set_machine(text: str, path: Sequence[str], value: Any) -> str:
    """The text of a host_vars or group_vars file with the machine field `path` set.

    An empty `text` is a file that does not exist yet. Raises: EditRefused, InvalidInput.
    """
    return set_value(text, (_MACHINE, *path), value)


def remove_machine(text: str, path: Sequence[str]) -> str:
    """The text of a host_vars or group_vars file without the machine field `path`.

    Raises: EditRefused, InvalidInput.
    """
    return remove_value(text, (_MACHINE, *path))


def add_host(text: str, group: str, host: str, machine: Mapping[str, Any]) -> str:
    """The text of hosts.yaml with `host` listed in `group` (`all` is the top), its machine fields inline.

    Raises: UsageError when there is no such group, the name cannot be used or is listed there already;
    EditRefused, InvalidInput.
    """
    host_name(host)
    groups = _groups(text)
    place = groups.get(group) or (("all",) if group == "all" else None)
    if place is None:
        raise UsageError(f"{HOSTS} has no group `{group[:60]}`", hint=did_you_mean(group, groups))
    if any(path[: len(place)] == place and len(path) == len(place) + 2 for path in _listed(text, host)):
        raise UsageError(
            f"`{host}` is listed in group `{group}` already", hint=f"change it with `pvenix host edit {host}`"
        )
    value = {_MACHINE: dict(machine)} if machine else None
    return set_value(text, (*place, "hosts", host), value, block_levels=2)


def set_inline(text: str, host: str, path: Sequence[str], value: Any) -> str:
    """The text of hosts.yaml with a machine field set where `host` is listed.

    Raises: UsageError when the host is not listed by its own name; EditRefused, InvalidInput.
    """
    places = [place for place in _listed(text, host) if place[-1] == host]
    if not places:
        raise UsageError(
            f"`{host[:60]}` is not listed by its own name in {HOSTS}",
            hint=f"set it in {vars_file(host[:60])}",
        )
    return set_value(text, (*places[0], _MACHINE, *path), value)


def set_claim(text: str, host: str, path: Sequence[str], value: Any) -> str:
    """The text of a file of claims with a machine field set in the claim of `host`.

    Raises: UsageError when the file has no such claim, EditRefused for a field that a claim has in another form.
    """
    field = ".".join(path)
    target = {machine: claim for claim, machine in claims.FIELDS.items()}.get(tuple(path))
    for start, end in _documents(text):
        part = text[start:end]
        document = parse(part, "this file")
        if document is None or claims.claimed_name(document) != host:
            continue
        if target is None:
            why = f"the claim of {host} has no key that means just this"
            raise EditRefused(f"`{field}` cannot be edited in a claim", why=why, hint="edit the claim by hand")
        return text[:start] + set_value(part, ("spec", *target), value) + text[end:]
    raise UsageError(f"there is no claim of `{host[:60]}` in this file")


def listing_of(text: str, host: str) -> Node | None:
    """What hosts.yaml says of `host` where it is listed with anything, else where it is listed first.

    Raises: InvalidInput.
    """
    root = parse(text, HOSTS)
    found = [node for place in _listed(text, host) if root is not None and (node := root.get(*place)) is not None]
    return next((node for node in found if node.entries), found[0] if found else None)


def _documents(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each document: `---` at the start of a line parts them, wherever it stands."""
    marks = [match.end() for match in re.finditer(r"^---(?=\s|$)", text, re.MULTILINE)]
    starts = [0, *marks]
    ends = [*(mark - len("---") for mark in marks), len(text)]
    yield from zip(starts, ends, strict=True)


def remove_host(text: str, host: str) -> str:
    """The text of hosts.yaml without `host`, in every group that lists it.

    Raises: UsageError when it is not listed, or only as part of a range; EditRefused, InvalidInput.
    """
    places = list(_listed(text, host))
    if not places:
        raise UsageError(f"`{host[:60]}` is not listed in {HOSTS}")
    for place in places:
        if place[-1] != host:
            raise UsageError(f"`{host}` is part of the range {place[-1]}", hint=f"edit {HOSTS} by hand")
        text = remove_value(text, place)
    return text


def _groups(text: str) -> dict[str, tuple[str, ...]]:
    """Every group with the path to its body: the first mention that says something, else the first."""
    found: dict[str, tuple[str, ...]] = {}
    said: set[str] = set()
    for name, path, node in _bodies(parse(text, HOSTS), ()):
        if name not in found or (node.entries and name not in said):
            found[name] = path
        if node.entries:
            said.add(name)
    return found


def _bodies(parent: Node | None, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], Node]]:
    for name, entry in parent.entries.items() if parent is not None else ():
        here = (*path, name)
        yield name, here, entry.value
        yield from _bodies(entry.value.get("children"), (*here, "children"))


def _listed(text: str, host: str) -> Iterator[tuple[str, ...]]:
    """The paths at which `host` is listed, as itself or within a range."""
    for _, path, node in _bodies(parse(text, HOSTS), ()):
        hosts = node.get("hosts")
        for pattern in hosts.entries if hosts is not None else ():
            try:
                if host in ranges.expand(pattern):
                    yield (*path, "hosts", pattern)
            except UsageError:
                continue
