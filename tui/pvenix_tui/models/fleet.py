"""The fleet as a person looks at it: hosts and what was read of them, the filter, the order and the marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.models.fleetfilter import Wrong, search
from pvenix_tui.models.fleetorder import SETTLED, TROUBLE, Order, Sorting, sort_key
from pvenix_tui.models.lastrun import LastRun
from pvenix_tui.models.states import epoch

if TYPE_CHECKING:
    from pvenix_tui.backend import HostLike

STALE_S: Final = 90.0
"""Seconds after which a reading is shown as stale; readings are taken every 30 s while the fleet shows."""

Select = Callable[[str, Mapping[str, Mapping[str, str]] | None], tuple[str, ...]]
"""`Fleet.select`."""


class FleetModel:
    """Hosts, readings, filter, order and marks; filtering never loses a mark, and a reading never moves a row.

    A reading changes what a row says at once. Where the row stands, and whether the filter still lets it show, is
    decided again by `settle`, when the person rests; until then a host that has come to match stands at the end.
    """

    def __init__(self) -> None:
        self.loaded = False
        """True once the inventory was taken in; before that the hosts may be those of the last session."""
        self.hosts: dict[str, HostLike] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.statuses: dict[str, HostStatus] = {}
        self.marks: set[str] = set()
        self.filter = ""
        self.wrong: tuple[Wrong, ...] = ()
        """The words of the filter that cannot be used."""
        self.order = Order()
        self.visible: tuple[str, ...] = ()
        self.place: dict[str, int] = {}
        """Where each host that shows stands."""
        self.unsettled = False
        """True when readings came since the rows were put in order, and order or filter may depend on them."""
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
        self._holds: Callable[[str], bool] = lambda _: True
        """Whether the filter, as it was applied last, lets a host show."""
        self._anchor = ""
        self._numbers: dict[str, int] = {}
        """How many hosts hold each filter that was counted."""
        self._counted_before = False
        """True when something was read since filters were counted."""

    # --- what is known ---

    def load(
        self,
        hosts: Iterable[HostLike],
        groups: Mapping[str, Sequence[str]],
        select: Select,
        *,
        remembered: bool = False,
    ) -> None:
        """Take in the inventory, or what is `remembered` of it; marks and readings of hosts that are gone go too."""
        self.loaded = self.loaded or not remembered
        self.hosts = {host.name: host for host in hosts}
        self.groups = {name: tuple(members) for name, members in groups.items()}
        self._groups_and_hosts = frozenset((*self.hosts, *self.groups, "all"))
        self._select = select
        self._words.clear()
        self.marks &= set(self.hosts)
        self.statuses = {name: status for name, status in self.statuses.items() if name in self.hosts}
        self._count()
        self._counted_before = True
        self.settle()

    def _count(self) -> None:
        self.states, self.trouble = Counter(), Counter()
        for status in self.statuses.values():
            self._counted(status, 1)

    def _counted(self, status: HostStatus, by: int) -> None:
        self.states[status.sync] += by
        if needs_a_person(status):
            for group in self.hosts[status.host].groups:
                self.trouble[group] += by

    def read(self, status: HostStatus) -> None:
        """Take in one reading; one that is older than what is known, or of a host that is gone, is left aside."""
        name = status.host
        if name not in self.hosts:
            return
        before = self.statuses.get(name)
        if before is not None:
            if before.seen_at > status.seen_at:
                return
            self._counted(before, -1)
        self.statuses[name] = status
        self._counted(status, 1)
        self._words.pop(name, None)
        self._counted_before = True
        self._changed(name)

    def _changed(self, name: str) -> None:
        self.unsettled = self.unsettled or bool(self._numbers)
        if self.filter:
            self.unsettled = True
            if name not in self.place and self._holds(name):
                self.place[name] = len(self.visible)
                self.visible = (*self.visible, name)
        elif self.order.by not in SETTLED:
            self.unsettled = True

    @property
    def last_runs(self) -> Mapping[str, LastRun]:
        """How each host's last run went, as far as it is known."""
        return self._last_runs

    @last_runs.setter
    def last_runs(self, last: dict[str, LastRun]) -> None:
        if last != self._last_runs:
            self._last_runs = last
            self._counted_before = True
            self.unsettled = self.unsettled or bool(self.filter or self._numbers) or self.order.by is Sorting.LAST_RUN

    # --- filter and order ---

    def set_filter(self, text: str) -> None:
        """Show the hosts that hold every word of `text` that can be used (`models.fleetfilter`)."""
        self.filter = text.strip()
        self.settle()

    def set_order(self, order: Order) -> None:
        """Show the hosts in this order."""
        self.order = order
        self.settle()

    def settle(self) -> None:
        """Apply filter and order to what is known now."""
        found = search(self.filter, self)
        self._holds, self.wrong = found.holds, found.wrong
        if self.order.by is Sorting.INVENTORY:
            self.visible = tuple(reversed(found.hosts)) if self.order.backwards else found.hosts
        else:
            self.visible = tuple(sorted(found.hosts, key=self._sort_key, reverse=self.order.backwards))
        self.place = {name: index for index, name in enumerate(self.visible)}
        self.unsettled = False
        if self._counted_before:
            self._numbers.clear()
            self._counted_before = False

    def number(self, text: str) -> int:
        """How many hosts hold a filter, by what was known when the rows were put in order."""
        if text not in self._numbers:
            self._numbers[text] = len(search(text, self).hosts)
        return self._numbers[text]

    def _sort_key(self, name: str) -> tuple[object, ...]:
        roles = tuple(self.hosts[name].roles)
        return sort_key(self.order, name, roles, self.statuses.get(name), self._last_runs.get(name))

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

    # --- marks ---

    @property
    def hidden_marks(self) -> int:
        """How many marked hosts the filter hides."""
        return sum(name not in self.place for name in self.marks)

    def toggle_mark(self, name: str) -> None:
        """Mark the host or take its mark away."""
        self.marks ^= {name}

    def toggle_all(self) -> None:
        """Mark every host that shows, or unmark them when all are marked."""
        shown = set(self.visible)
        self.marks = self.marks - shown if shown <= self.marks else self.marks | shown

    @property
    def ranging(self) -> bool:
        """True while a range is drawn."""
        return bool(self._anchor)

    def begin_range(self, name: str) -> None:
        """Begin a range at a host; with an empty name give it up."""
        self._anchor = name

    def in_range(self, name: str, focus: str) -> bool:
        """Whether a host is between the beginning of the range and the cursor."""
        if not self._anchor:
            return False
        first, last = sorted((self.place.get(self._anchor, 0), self.place.get(focus, 0)))
        return first <= self.place.get(name, -1) <= last

    def mark_range(self, focus: str) -> None:
        """Mark the range, and end it."""
        self.marks |= {name for name in self.visible if self.in_range(name, focus)}
        self._anchor = ""

    def targets(self, focus: str) -> tuple[str, ...]:
        """The marked hosts and the range in the inventory's order, or the host at the cursor."""
        if self.marks or self._anchor:
            return tuple(name for name in self.hosts if name in self.marks or self.in_range(name, focus))
        return (focus,) if focus in self.hosts else ()

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
