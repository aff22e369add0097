"""The fleet as a person looks at it: what is known of it, with their filter, order and marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pvenix.model.status import HostStatus
from pvenix_tui.models.fleetfacts import FleetFacts, Select, is_stale, needs_a_person, needs_reboot, own_groups
from pvenix_tui.models.fleetfilter import Wrong, search
from pvenix_tui.models.fleetorder import SETTLED, Order, Sorting, sort_key
from pvenix_tui.models.lastrun import LastRun

if TYPE_CHECKING:
    from pvenix_tui.backend import HostLike

__all__ = ["FleetModel", "is_stale", "needs_a_person", "needs_reboot", "own_groups"]


class FleetModel(FleetFacts):
    """Filter, order and marks of what is known; filtering never loses a mark, and a reading never moves a row.

    A reading changes what a row says at once. Where the row stands, and whether the filter still lets it show, is
    decided again by `settle`, when the person rests; until then a host that has come to match stands at the end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loaded = False
        """True once the inventory was taken in; before that the hosts may be those of the last session."""
        self.filter = ""
        self.wrong: tuple[Wrong, ...] = ()
        """The words of the filter that cannot be used."""
        self.order = Order()
        self.visible: tuple[str, ...] = ()
        self.place: dict[str, int] = {}
        """Where each host that shows stands."""
        self.unsettled = False
        """True when readings came since the rows were put in order, and order or filter may depend on them."""
        self._holds: Callable[[str], bool] = lambda _: True
        """Whether the filter, as it was applied last, lets a host show."""
        self._anchor = ""
        self._numbers: dict[str, int] = {}
        """How many hosts hold each filter that was counted."""
        self._outdated = False
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
        self._take(hosts, groups, select)
        self._outdated = True
        self.settle()

    def recall(self, readings: Iterable[HostStatus]) -> None:
        """Take in readings of an earlier session, of hosts that were not read since."""
        for status in readings:
            if status.host in self.hosts and status.host not in self.statuses:
                self._put(status)
        self._outdated = True
        self.settle()

    def read(self, status: HostStatus) -> None:
        """Take in one reading; one of a host that is gone is left aside."""
        if status.host in self.hosts:
            self._put(status)
            self._outdated = True
            self._changed(status.host)

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
            self._outdated = True
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
        if self._outdated:
            self._numbers.clear()
            self._outdated = False

    def number(self, text: str) -> int:
        """How many hosts hold a filter, by what was known when the rows were put in order."""
        if text not in self._numbers:
            self._numbers[text] = len(search(text, self).hosts)
        return self._numbers[text]

    def _sort_key(self, name: str) -> tuple[object, ...]:
        roles = tuple(self.hosts[name].roles)
        return sort_key(self.order, name, roles, self.statuses.get(name), self._last_runs.get(name))

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
