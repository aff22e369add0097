"""Who is in which group, and in which order the layers of groups count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pvenix.fleet import codes
from pvenix.fleet.layers import Layer
from pvenix.fleet.node import Node
from pvenix.model.findings import Finding

_DEFAULT_PRIORITY = 1
"""Ansible's `ansible_group_priority`."""


@dataclass(slots=True, eq=False, kw_only=True)
class Group:
    """A group as all its mentions together make it."""

    name: str
    key: Node
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    inline: list[Layer] = field(default_factory=list)
    files: list[Layer] = field(default_factory=list)
    priority: int = _DEFAULT_PRIORITY
    whole: bool = True
    """False when one of its vars files could not be read."""


@dataclass(slots=True, eq=False, kw_only=True)
class Listed:
    """A host as the inventory lists it."""

    name: str
    key: Node
    inline: list[Layer] = field(default_factory=list)
    files: list[Layer] = field(default_factory=list)
    whole: bool = True
    """False when one of its vars files could not be read."""


@dataclass(slots=True, eq=False, kw_only=True)
class Inventory:
    """Hosts and groups with their layers; `findings` says what is wrong with them."""

    hosts: dict[str, Listed] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    whole: bool = True
    """False when hosts.yaml could not be read."""
    _order: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    _above: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The groups that a host is in, `all` included: parents first, then by priority, then by name."""
        return self._above.get(host, ())

    def is_whole(self, host: str) -> bool:
        """True when every vars file that speaks of a host could be read."""
        return self.hosts[host].whole and all(self.groups[group].whole for group in self.groups_of(host))

    def group_layers(self, groups: Iterable[str]) -> list[Layer]:
        """The layers of groups in the order given: what hosts.yaml says of them all, then their group_vars."""
        members = [self.groups[name] for name in groups]
        return [layer for group in members for layer in group.inline] + [
            layer for group in members for layer in group.files
        ]

    def members(self, group: str) -> list[str]:
        """The hosts of a group and of the groups below it, in the inventory's order."""
        return [host for host in self.hosts if group in self._above.get(host, ())]

    def settle(self) -> None:
        """Works out who is in which group, and in which order their layers count."""
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].append(group.name)
        depth = self._depths(parents)
        self._order = {name: (depth[name], self.groups[name].priority, name) for name in self.groups}
        direct: dict[str, list[str]] = {name: ["all"] for name in self.hosts}
        for group in self.groups.values():
            for host in group.hosts:
                direct[host].append(group.name)
        closures: dict[tuple[str, ...], tuple[str, ...]] = {}
        for host, start in direct.items():
            key = tuple(start)
            if key not in closures:
                closures[key] = tuple(sorted(_ancestors(start, parents), key=self._order.__getitem__))
            self._above[host] = closures[key]

    def _depths(self, parents: dict[str, list[str]]) -> dict[str, int]:
        """The longest way from `all` to each group; a cycle is reported and cut."""
        depth: dict[str, int] = {}
        waiting = {name: len(above) for name, above in parents.items()}
        ready = [name for name, count in waiting.items() if not count]
        while waiting:
            if not ready:
                ready = [self._cut_cycle(next(iter(waiting)), waiting, parents)]
            name = ready.pop()
            del waiting[name]
            depth[name] = max((depth[parent] + 1 for parent in parents[name]), default=0)
            for child in self.groups[name].children:
                if child in waiting:
                    waiting[child] -= 1
                    if not waiting[child]:
                        ready.append(child)
        return depth

    def _cut_cycle(self, start: str, waiting: dict[str, int], parents: dict[str, list[str]]) -> str:
        """Reports a cycle and lets one of its groups go on as if nobody contained it; that group."""
        way = [start]
        while True:
            above = next(parent for parent in parents[way[-1]] if parent in waiting)
            if above in way:
                break
            way.append(above)
        loop = way[way.index(above) :]
        shown = " -> ".join([above, *reversed(loop)])
        parents[loop[-1]] = [parent for parent in parents[loop[-1]] if parent not in waiting]
        at = self.groups[above].children[loop[-1]]
        self.findings.append(at.finding(codes.CYCLE, f"groups contain themselves: {shown}", "take one of them out"))
        return loop[-1]


def _ancestors(start: Iterable[str], parents: dict[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(parents[name])
    return seen
