"""A new host on the fleet as it is: its line, what would be wrong with it, what the layers below give it."""

from __future__ import annotations

import ipaddress
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pvenix.fleet.edit import add_host, listing_of
from pvenix.fleet.editing import diff_of
from pvenix.fleet.load import Fleet, load_fleet
from pvenix.fleet.node import Node
from pvenix.fleet.root import shown
from pvenix.model.errors import InvalidInput, PvenixError, UsageError
from pvenix.model.findings import Finding
from pvenix.model.host import State
from pvenix.model.names import host_name
from pvenix.model.newhost import PATHS, Asked, Effective, NewHost, Option, Trial
from pvenix.model.paths import HOSTS
from pvenix.model.plan import ArgValue
from pvenix.model.site import Zone
from pvenix.model.units import bytes_text

NAMELESS: Final = "new-host"
"""Stands for a host whose name is not right yet, so that all else can be tried."""
_MIB: Final = 2**20
_PREFIX: Final = "pvenix-try-"
_TRIAL: Final = re.compile(rf"[^\s`]*/{_PREFIX}[^/\s`]*")
"""The directory of a trial, in the text of a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A new host tried on the fleet, and the fleet with it; None when it would not be valid."""

    trial: Trial
    fleet: Fleet | None = None


def hosts_file(fleet: Fleet) -> Path:
    """The file that lists the fleet's hosts."""
    return fleet.root / fleet.files[1]


def name_problem(fleet: Fleet, name: str) -> str:
    """Why a new host cannot be called `name`, empty when it can."""
    if not name:
        return "a name is needed"
    try:
        host_name(name)
    except UsageError as error:
        return f"{error.what}: {error.hint}"
    taken = fleet.hosts.get(name)
    if taken is not None and taken.machine.state is State.ABSENT:
        return f"{name} was retired: its tombstone at {taken.file}:{taken.line} keeps name, address and VM id taken"
    if taken is not None:
        word = "is taken" if taken.machine.state.managed else f"is taken by a host that is {taken.machine.state}"
        return f"{name} {word}: {taken.file}:{taken.line}"
    return f"{name} is the name of a group" if name in fleet.groups else ""


def listed_text(text: str, new: NewHost) -> str:
    """The text of hosts.yaml with the new host in its groups, every other byte kept.

    Raises: UsageError, EditRefused, InvalidInput as `add_host` does.
    """
    for number, group in enumerate(new.groups or ("all",)):
        text = add_host(text, group, new.name, new.machine if number == 0 else {})
    return text


def try_host(fleet: Fleet, new: NewHost, overrides: Mapping[str, ArgValue]) -> Tried:
    """What the fleet would be with the new host; nothing is written into it."""
    problem = name_problem(fleet, new.name)
    problems = {Asked.NAME.value: problem} if problem else {}
    named = NewHost(name=NAMELESS if problem else new.name, groups=new.groups, machine=new.machine)
    path = hosts_file(fleet)
    base = Trial(file=shown(path, fleet.root), problems=problems, options=options(fleet, new))
    try:
        old = path.read_text(encoding="utf-8")
        text = listed_text(old, named)
    except PvenixError as error:
        where = Asked.GROUPS.value if new.groups else ""
        return Tried(trial=replace(base, problems={**problems, where: _words(error.what, error.hint)}))
    except OSError as error:
        return Tried(trial=replace(base, problems={**problems, "": f"{path} cannot be read: {error}"}))
    diff = "" if problem else diff_of(base.file, old, text)
    found, wrong = _loaded(fleet, text, named.name, overrides)
    base = replace(base, diff=diff, problems={**wrong, **problems})
    if found is None:  # what is right still has its defaults
        rest = _without(named, wrong)
        with_rest, _ = _loaded(fleet, listed_text(old, rest), rest.name, overrides) if rest != named else (None, wrong)
        return Tried(trial=replace(base, effective=_effective(fleet, with_rest, rest.name)))
    warnings = (_words(one.what, one.hint) for one in found.findings if one.warning and _is_new(one, text, named.name))
    trial = replace(base, warnings=tuple(warnings), effective=_effective(fleet, found, named.name))
    return Tried(trial=trial, fleet=None if problem else found)


def _loaded(
    fleet: Fleet, text: str, host: str, overrides: Mapping[str, ArgValue]
) -> tuple[Fleet | None, dict[str, str]]:
    """The fleet with another text of hosts.yaml, or None and what would be wrong with `host`, by what was asked."""
    path = hosts_file(fleet)
    try:
        with _beside(path, text) as trying:
            return load_fleet(fleet.root, inventory=trying, overrides=overrides), {}
    except InvalidInput as error:
        wrong = _by_field(error.findings, text, host)
        return None, {asked: _told(words, fleet) for asked, words in wrong.items()}


def _told(text: str, fleet: Fleet) -> str:
    """`text` with the places of a trial told as places of the fleet."""
    return _TRIAL.sub(shown(hosts_file(fleet).parent, fleet.root), text)


def _without(new: NewHost, wrong: Mapping[str, str]) -> NewHost:
    """The new host as it would be with nothing said where something is wrong."""
    machine = {key: dict(value) if isinstance(value, dict) else value for key, value in new.machine.items()}
    for asked, (*way, last) in PATHS.items():
        if asked in wrong:
            place = machine
            for key in way:
                place = place.get(key, {})
            place.pop(last, None)
    return replace(new, machine={key: value for key, value in machine.items() if value != {}})


@contextmanager
def _beside(path: Path, text: str) -> Iterator[Path]:
    """Another hosts file with this text, beside which stands what stands beside `path`."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        for other in path.parent.iterdir():
            if other != path:
                (Path(folder) / other.name).symlink_to(other)
        trying = Path(folder) / path.name
        trying.write_text(text, encoding="utf-8")
        yield trying


def _by_field(findings: Iterable[Finding], text: str, host: str) -> dict[str, str]:
    """What is wrong by what was asked: of each the first finding."""
    places = _places(text, host)
    wrong: dict[str, str] = {}
    for one in findings:
        if one.warning:
            continue
        before = [(place, asked) for place, asked in places if place <= (one.line, one.column)]
        asked = max(before)[1].value if before and _is_new(one, text, host) else ""
        wrong.setdefault(asked, _words(one.what, one.hint))
    return wrong


def _places(text: str, host: str) -> list[tuple[tuple[int, int], Asked]]:
    """Line and column of each field that the new host's entry has."""
    entry = listing_of(text, host)
    found: list[tuple[tuple[int, int], Asked]] = []
    for asked, path in PATHS.items():
        key = _key(entry, ("machine", *path))
        if key is not None:
            found.append(((key.line, key.column), asked))
    return found


def _key(node: Node | None, path: tuple[str, ...]) -> Node | None:
    """The key at the end of `path`, None when it is not there."""
    for name in path[:-1]:
        node = node.get(name) if node is not None else None
    entry = node.entries.get(path[-1]) if node is not None else None
    return entry.key if entry is not None else None


def _is_new(one: Finding, text: str, host: str) -> bool:
    """True when a finding is about the new host's own lines."""
    entry = listing_of(text, host)
    if entry is None or not one.file.endswith(Path(HOSTS).name):
        return False
    last = entry.line + text[entry.start : entry.end].rstrip().count("\n")
    return entry.line <= one.line <= last


def _words(what: str, hint: str) -> str:
    return f"{what}; {hint}" if hint else what


def _effective(fleet: Fleet, tried: Fleet | None, host: str) -> dict[Asked, Effective]:
    """What counts for each field of the host in a fleet that was tried, and who says so."""
    fields = {one.field: one for one in tried.explain(host)} if tried is not None else {}
    found: dict[Asked, Effective] = {}
    for asked, path in PATHS.items():
        one = fields.get(".".join(path))
        if one is None:
            continue
        origin = one.origins[0]
        if asked is Asked.CLASS and origin.layer.startswith("class ") and one.beaten:
            origin = one.beaten[0]  # a class says its own name; who chose it stands below
        where = _told(f"{origin.file}:{origin.line}", fleet)
        why = origin.layer if origin.layer in ("built-in", "--set") else f"{origin.layer}, {where}"
        value = one.value
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found[asked] = Effective(value=text, why="said here" if origin.layer == "host" else why)
    return found


def options(fleet: Fleet, new: NewHost) -> dict[Asked, tuple[Option, ...]]:
    """What may be chosen for a new host; nodes are the cluster's to say."""
    site = fleet.site
    groups = [(name, members) for name, members in fleet.groups.items() if not name.startswith("role_")]
    return {
        Asked.ROLES: tuple(Option(value=role.name, help=_role_help(fleet, role.name)) for role in site.roles.values()),
        Asked.GROUPS: tuple(Option(value=name, help=_members(members)) for name, members in groups),
        Asked.CLASS: tuple(
            Option(value=one.name, help=f"{one.cores} cores, {_size(one.memory_mib)}, disk {_size(one.disk_mib)}")
            for one in site.classes.values()
        ),
        Asked.ZONE: tuple(Option(value=zone.name, help=_zone_help(zone)) for zone in site.zones.values()),
        Asked.ADDRESS: _address_options(fleet, _zone_of(new)),
        Asked.TEMPLATE: tuple(
            Option(value=one.name, help=f"VM {one.vmid} of cluster {one.cluster}") for one in site.templates.values()
        ),
    }


def _members(hosts: Sequence[str]) -> str:
    more = ", ..." if len(hosts) > 4 else ""
    return f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}: {', '.join(hosts[:4])}{more}"


def _zone_of(new: NewHost) -> str:
    network = new.machine.get("network")
    return str(network.get("zone", "")) if isinstance(network, dict) else ""


def _role_help(fleet: Fleet, name: str) -> str:
    role = fleet.site.roles[name]
    ports = [*(f"tcp {port}" for port in role.tcp), *(f"udp {port}" for port in role.udp)]
    parts = [", ".join(role.modules), f"opens {', '.join(ports)}" if ports else ""]
    parts += [f"needs {role.needs.pci} PCI device(s)" if role.needs.pci else ""]
    parts += [f"after {', '.join(role.after)}" if role.after else ""]
    return "; ".join(part for part in parts if part)


def _zone_help(zone: Zone) -> str:
    vlan = f", VLAN {zone.vlan}" if zone.vlan else ""
    return f"{zone.cidr or 'no addresses known'} on {zone.bridge}{vlan}"


def _size(mib: int) -> str:
    return bytes_text(mib * _MIB).replace(".0 ", " ")


def _address_options(fleet: Fleet, zone: str) -> tuple[Option, ...]:
    dhcp = Option(value="dhcp", help="the zone's DHCP server gives it one")
    free = free_address(fleet, zone)
    why = f"the first free one behind those of zone {zone} in the inventory; see that its DHCP does not give it away"
    return (dhcp, Option(value=free, help=why)) if free else (dhcp,)


def free_address(fleet: Fleet, zone: str) -> str:
    """An address with its prefix that no host of the inventory has: behind the highest of the zone, else the lowest.

    Empty when the zone's network is not known, or full.
    """
    place = fleet.site.zones.get(zone)
    if place is None or not place.cidr:
        return ""
    network = ipaddress.ip_network(place.cidr, strict=False)
    own = {card.ip for host in fleet.hosts.values() for card in host.machine.cards if card.ip}
    taken = {ipaddress.ip_address(text) for text in (*own, *place.dns, place.gateway) if text}
    inside = [int(address) for text in own if (address := ipaddress.ip_address(text)) in network]
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
    start = max(inside, default=first - 1) + 1
    for number in (*range(start, min(last, start + 4096) + 1), *range(first, min(start, first + 4096))):
        address = ipaddress.ip_address(number)
        if address not in taken:
            return f"{address}/{network.prefixlen}"
    return ""
