"""The fleet as its table shows it: rows, the filter, and the marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.model.errors import UsageError
from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.backend import HostLike
from pvenix_tui.models.lines import Column, Line, Span, Tone
from pvenix_tui.models.states import age, epoch, sync_span

STALE_S: Final = 90.0
"""Seconds after which a reading is shown as stale; readings are taken every 30 s while the fleet shows."""
_OPERATORS: Final = frozenset(":*~=!&[")

COLUMNS: Final = (
    Column(title=" ", width=1),
    Column(title="STATE", width=15),
    Column(title="HOST", width=15, grow=3),
    Column(title="ROLES", width=12, grow=2, keep=1),
    Column(title="NODE", width=8, grow=1, keep=3),
    Column(title="VM", width=4, keep=2),
    Column(title="GEN", width=4),
    Column(title="COMMIT", width=8),
    Column(title="SEEN", width=4, keep=4),
    Column(title="LAST RUN", width=14, grow=1, keep=5),
)


Select = Callable[[str, Mapping[str, Mapping[str, str]] | None], tuple[str, ...]]
"""`Fleet.select`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A line of the list of roles and groups."""

    selector: str
    label: str
    hosts: int
    kind: str
    """`role`, `group`, or empty for all hosts."""


class FleetModel:
    """Hosts, what was read of them, the filter and the marks; filtering never loses a mark."""

    def __init__(self) -> None:
        self.loaded = False
        """True once the inventory was taken in."""
        self.hosts: dict[str, HostLike] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.statuses: dict[str, HostStatus] = {}
        self.last_runs: dict[str, Span] = {}
        self.marks: set[str] = set()
        self.filter = ""
        self.visible: tuple[str, ...] = ()
        self.group_rows: list[GroupRow] = []
        """All hosts, then roles, then groups, each with its number of hosts."""
        self._select: Select | None = None

    def load(self, hosts: Iterable[HostLike], groups: Mapping[str, Sequence[str]], select: Select) -> None:
        """Take in the inventory; marks of hosts that are gone go with them."""
        self.loaded = True
        self.hosts = {host.name: host for host in hosts}
        self.groups = {name: tuple(members) for name, members in groups.items()}
        self.group_rows = self._rows_of_groups()
        self.marks &= set(self.hosts)
        self._select = select
        self.set_filter(self.filter)

    def read(self, status: HostStatus) -> None:
        """Take in one reading."""
        self.statuses[status.host] = status

    def set_filter(self, text: str) -> None:
        """Show the hosts that the selector `text` names, or whose row contains `text` where it is not a selector."""
        self.filter = text.strip()
        self.visible = self._matching(self.filter)

    def _matching(self, text: str) -> tuple[str, ...]:
        if not text:
            return tuple(self.hosts)
        if self._select is not None and (_OPERATORS & set(text) or text in self.groups or text == "all"):
            try:
                wanted = set(self._select(text, self.facts()))
            except UsageError:
                wanted = set()  # half a selector while it is being typed
            if wanted or text in self.groups:
                return tuple(name for name in self.hosts if name in wanted)
        needle = text.casefold()
        return tuple(name for name in self.hosts if needle in self._words(name))

    def facts(self) -> dict[str, dict[str, str]]:
        """What selectors such as `state=drifted` look at."""
        return {name: status.selectable() for name, status in self.statuses.items()}

    def _words(self, name: str) -> str:
        host = self.hosts[name]
        status = self.statuses.get(name)
        seen = (status.sync.value, status.node, str(status.vmid)) if status else ()
        return " ".join((name, *host.roles, *host.groups, *seen)).casefold()

    def toggle_mark(self, name: str) -> None:
        """Mark the host or take its mark away."""
        self.marks ^= {name}

    def toggle_all(self) -> None:
        """Mark every host that shows, or unmark them when all are marked."""
        shown = set(self.visible)
        self.marks = self.marks - shown if shown <= self.marks else self.marks | shown

    def targets(self, focus: str) -> tuple[str, ...]:
        """The marked hosts in the inventory's order, or the one at the cursor."""
        if self.marks:
            return tuple(name for name in self.hosts if name in self.marks)
        return (focus,) if focus in self.hosts else ()

    def _rows_of_groups(self) -> list[GroupRow]:
        roles = [
            GroupRow(selector=name, label=name.removeprefix("role_"), hosts=len(members), kind="role")
            for name, members in sorted(self.groups.items())
            if name.startswith("role_")
        ]
        groups = [
            GroupRow(selector=name, label=name, hosts=len(members), kind="group")
            for name, members in sorted(self.groups.items())
            if not name.startswith("role_") and name not in ("all", "ungrouped")
        ]
        return [GroupRow(selector="", label="all hosts", hosts=len(self.hosts), kind=""), *roles, *groups]

    def cells(self, name: str, now: float) -> tuple[Span, ...]:
        """What the table shows of a host."""
        host = self.hosts[name]
        status = self.statuses.get(name)
        mark: Span = ("*", Tone.ACCENT) if name in self.marks else (" ", Tone.PLAIN)
        roles: Span = (" ".join(host.roles) or "(none)", Tone.PLAIN)
        last = self.last_runs.get(name, ("-", Tone.DIM))
        if status is None:
            nothing: Span = ("-", Tone.DIM)
            return (mark, sync_span(None), (name, Tone.STRONG), roles, *[nothing] * 5, last)
        stale = is_stale(status, now)
        tone = Tone.DIM if stale else Tone.PLAIN
        revision = status.facts.revision if status.facts else ""
        return (
            mark,
            sync_span(status.sync, stale=stale),
            (name, Tone.STRONG),
            roles,
            (status.node or "-", tone),
            (str(status.vmid or "-"), tone),
            (str(status.generation or "-"), tone),
            (revision[:7] or "-", tone),
            (age(status.seen_at, now), Tone.DIM),
            last,
        )

    def preview(self, name: str, now: float) -> Line:
        """One line on the host at the cursor."""
        host = self.hosts.get(name)
        if host is None:
            return ((self._why_empty(), Tone.DIM),)
        status = self.statuses.get(name)
        if status is None:
            return (
                (name, Tone.STRONG),
                ("  not read yet  groups: ", Tone.DIM),
                (", ".join(own_groups(host)), Tone.DIM),
            )
        if status.problem:
            return (
                (name, Tone.STRONG),
                ("  ", Tone.PLAIN),
                sync_span(status.sync),
                (f"  {status.problem}", Tone.WARN),
            )
        parts = [
            f"VM {status.vmid} on {status.node}" if status.vmid else "",
            status.power,
            status.address,
            f"{len(status.facts.failed_units)} failed units" if status.facts and status.facts.failed_units else "",
            f"read {age(status.seen_at, now)} ago",
        ]
        return (
            (name, Tone.STRONG),
            ("  ", Tone.PLAIN),
            sync_span(status.sync),
            ("  ", Tone.PLAIN),
            ("  ".join(part for part in parts if part), Tone.DIM),
        )

    def vms(self, hosts: Iterable[str]) -> dict[str, int]:
        """The VM's id of each of these hosts that was read, 0 where it has none."""
        seen = {host: self.statuses[host] for host in hosts if host in self.statuses}
        return {host: status.vmid for host, status in seen.items() if status.vmid or status.sync is Sync.ABSENT}

    def _why_empty(self) -> str:
        if not self.loaded:
            return "reading the inventory"
        return "no host matches; esc clears the filter" if self.filter else "the inventory has no host"

    def summary(self) -> Line:
        """How many show, how many are marked, and the states that need a person."""
        spans: list[Span] = [("Hosts ", Tone.TITLE), (f"{len(self.visible)}/{len(self.hosts)}", Tone.STRONG)]
        if self.marks:
            spans.append((f"  {len(self.marks)} marked", Tone.ACCENT))
        for sync in (Sync.UNREACHABLE, Sync.DRIFTED, Sync.BEHIND):
            count = sum(1 for status in self.statuses.values() if status.sync is sync)
            if count:
                word, tone = sync_span(sync)
                spans.append((f"  {word} {count}", tone))
        return tuple(spans)


def own_groups(host: HostLike) -> tuple[str, ...]:
    """The host's groups without those that its roles make."""
    return tuple(group for group in host.groups if not group.startswith("role_"))


def is_stale(status: HostStatus, now: float) -> bool:
    """True when the reading is older than three intervals."""
    seen = epoch(status.seen_at)
    return seen is None or now - seen > STALE_S
