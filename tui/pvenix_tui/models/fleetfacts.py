"""What is known of the fleet: its hosts and groups, what was read of them, and what a filter can ask of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.models.fleetorder import TROUBLE
from pvenix_tui.models.lastrun import LastRun
from pvenix_tui.models.states import epoch

if TYPE_CHECKING:
    from pvenix_tui.backend import HostLike

STALE_S: Final = 90.0
"""Seconds after which a reading is shown as stale; readings are taken every 30 s while the fleet shows."""

Select = Callable[[str, Mapping[str, Mapping[str, str]] | None], tuple[str, ...]]
"""`Fleet.select`."""


class FleetFacts:
    """Hosts with their readings and last runs; has the shape of a `fleetfilter.Filterable`."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostLike] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.statuses: dict[str, HostStatus] = {}
        self.marks: set[str] = set()
        self.longest = 0
        """Characters of the longest name."""
        self.states: Counter[Sync] = Counter()
        """How many hosts are in each state."""
        self.trouble: Counter[str] = Counter()
        """How many hosts of each group need a person."""
        self.now: Callable[[], float] = lambda: 0.0
        """Seconds since 1970."""
        self._last_runs: dict[str, LastRun] = {}
        self._words: dict[str, str] = {}
        self._groups_and_hosts: frozenset[str] = frozenset()
        self._select: Select | None = None

    def _take(self, hosts: Iterable[HostLike], groups: Mapping[str, Sequence[str]], select: Select) -> None:
        """Take in an inventory; marks and readings of hosts that are gone go too."""
        self.hosts = {host.name: host for host in hosts}
        self.groups = {name: tuple(members) for name, members in groups.items()}
        self._groups_and_hosts = frozenset((*self.hosts, *self.groups, "all"))
        self._select = select
        self._words.clear()
        self.longest = max(map(len, self.hosts), default=0)
        self.marks &= set(self.hosts)
        self.statuses = {name: status for name, status in self.statuses.items() if name in self.hosts}
        self.states, self.trouble = Counter(), Counter()
        for status in self.statuses.values():
            self._count(status, 1)

    def _count(self, status: HostStatus, by: int) -> None:
        self.states[status.sync] += by
        if needs_a_person(status):
            for group in self.hosts[status.host].groups:
                self.trouble[group] += by

    def _put(self, status: HostStatus) -> None:
        """Take in a reading of a host that the fleet has."""
        before = self.statuses.get(status.host)
        if before is not None:
            self._count(before, -1)
        self.statuses[status.host] = status
        self._count(status, 1)
        self._words.pop(status.host, None)

    @property
    def names(self) -> tuple[str, ...]:
        """Every host, in the inventory's order."""
        return tuple(self.hosts)

    def is_name(self, word: str) -> bool:
        """True when the fleet has a group or host of this name."""
        return word in self._groups_and_hosts

    def is_group(self, word: str) -> bool:
        """True for a group's name, and for `all`."""
        return word in self.groups or word == "all"

    def select(self, selector: str) -> tuple[str, ...]:
        """What a selector names. Raises: UsageError."""
        return self._select(selector, self.facts() if "=" in selector else None) if self._select else ()

    def facts(self) -> dict[str, dict[str, str]]:
        """What selectors such as `state=drifted` look at."""
        return {name: status.selectable() for name, status in self.statuses.items()}

    def words(self, host: str) -> str:
        """Everything that a row says, casefolded."""
        words = self._words.get(host)
        if words is None:
            known, status = self.hosts[host], self.statuses.get(host)
            said: tuple[str, ...] = ()
            if status:
                said = (status.sync.value, status.node, str(status.vmid or ""), status.address, _revision(status)[:7])
            words = self._words[host] = "\n".join((host, *known.roles, *known.groups, *said)).casefold()
        return words

    def values(self, field: str, host: str) -> Sequence[str]:
        """What a field of the filter says of a host, casefolded; empty values are none."""
        match field:
            case "host":
                found: Sequence[str] = (host,)
            case "role":
                found = self.hosts[host].roles
            case "group":
                found = own_groups(self.hosts[host])
            case "run":
                last = self._last_runs.get(host)
                found = (last.status,) if last else ()
            case _:
                status = self.statuses.get(host)
                found = _of_status(field, status) if status else ()
        return tuple(value.casefold() for value in found if value)

    def flagged(self, flag: str, host: str) -> bool:
        """Whether a flag of the filter holds."""
        status = self.statuses.get(host)
        match flag:
            case "marked":
                return host in self.marks
            case "unread":
                return status is None
            case "stale":
                return status is None or is_stale(status, self.now())
            case "failed":
                return host in self._last_runs and self._last_runs[host].failed
            case "reboot":
                return needs_reboot(status)
            case _:
                return status is not None and needs_a_person(status)

    def vms(self, hosts: Iterable[str]) -> dict[str, int]:
        """The VM's id of each of these hosts that was read, 0 where it has none."""
        seen = {host: self.statuses[host] for host in hosts if host in self.statuses}
        return {host: status.vmid for host, status in seen.items() if status.vmid or status.sync is Sync.ABSENT}


def _of_status(field: str, status: HostStatus) -> Sequence[str]:
    match field:
        case "state":
            return (status.sync.value,)
        case "node":
            return (status.node,)
        case "power":
            return (status.power,)
        case "vm":
            return (str(status.vmid or ""),)
        case "gen":
            return (str(status.generation or ""),)
        case "commit":
            return (_revision(status),)
        case "address":
            return (status.address,)
        case _:
            return status.drift or ((status.sync.value,) if status.sync is Sync.DRIFTED else ())


def _revision(status: HostStatus) -> str:
    return status.facts.revision if status.facts else ""


def needs_a_person(status: HostStatus) -> bool:
    """True when somebody should look at the host; a host that is stopped on purpose needs nobody."""
    return status.sync in TROUBLE and not status.resting


def needs_reboot(status: HostStatus | None) -> bool:
    """True when the host runs another kernel, initrd or set of modules than its system has."""
    return status is not None and (status.sync is Sync.REBOOT or bool(status.facts and status.facts.reboot))


def own_groups(host: HostLike) -> tuple[str, ...]:
    """The host's groups without those that its roles make."""
    return tuple(group for group in host.groups if not group.startswith("role_"))


def is_stale(status: HostStatus, now: float) -> bool:
    """True when the reading is older than three intervals."""
    seen = epoch(status.seen_at)
    return seen is None or now - seen > STALE_S
