"""What placement is told and what it answers; nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pvenix.engine.ports import NodeState, StorageState
from pvenix.model.host import Ha
from pvenix.model.names import NodeName, Vmid
from pvenix.model.site import Capacity

GIB = 2**30


class Way(StrEnum):
    """How a host comes to its VM."""

    LINKED = "linked"
    FULL = "full"
    MIGRATE = "migrate"
    """A full clone on the template's node, which then moves."""
    CREATE = "create"
    """An empty VM that installs itself."""
    STAY = "stay"
    """The host has a VM; placing never moves one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDisk:
    """A disk of a template, its cloud-init drive included."""

    key: str
    storage: str
    size: int
    """Bytes; 0 when the configuration does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSeen:
    """A template as its node has it."""

    vmid: Vmid
    node: NodeName
    disks: tuple[TemplateDisk, ...]
    root: TemplateDisk

    @property
    def storages(self) -> frozenset[str]:
        """The storages that its disks are on."""
        return frozenset(disk.storage for disk in self.disks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to the VM on one node, settled before anything is written."""

    way: Way
    storage: str = ""
    """Of the root disk."""
    template: Vmid | None = None
    source: NodeName | None = None
    """The node that the template is on."""
    local: bool = True
    """False when disks are copied from node to node."""
    words: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """What a step is bound to."""
        facts = {"route": str(self.way), "storage": self.storage}
        if self.template is None or self.source is None:
            return facts
        return {**facts, "template": str(self.template), "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Points of a node, 100 in all."""

    memory: float = 0.0
    cpu: float = 0.0
    storage: float = 0.0
    spread: float = 0.0
    locality: float = 0.0
    least: float = 0.0
    """The smallest share that stays free of memory, CPU and storage: it decides between equals."""

    @property
    def total(self) -> float:
        """The sum of the points."""
        return round(self.memory + self.cpu + self.storage + self.spread + self.locality, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node with why it may not take the host, or its points and the way there."""

    node: NodeName
    refused: str = ""
    scores: Scores = field(default_factory=Scores)
    route: Route | None = None

    @property
    def rank(self) -> tuple[bool, float, float, str]:
        """Sorts the best first; equals by name."""
        return bool(self.refused), -self.scores.total, -self.scores.least, self.node


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where one host goes."""

    host: str
    node: NodeName
    vmid: Vmid
    route: Route
    candidates: tuple[Candidate, ...] = ()
    """Every node, the best first; empty for a VM that exists."""
    warnings: tuple[str, ...] = ()

    @property
    def storage(self) -> str:
        """The storage of the root disk."""
        return self.route.storage

    @property
    def facts(self) -> dict[str, str]:
        """What the steps of an apply are bound to."""
        return {"node": self.node, "vmid": str(self.vmid), **self.route.facts}

    @property
    def explained(self) -> tuple[str, ...]:
        """A line for each node."""
        return tuple(
            f"{one.node}: {one.refused or f'{one.scores.total:.1f} points, {one.route.words if one.route else str()}'}"
            for one in self.candidates
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a host asks of a node."""

    host: str
    memory: int
    """Bytes that the node loses to the VM."""
    cpus: int
    root: int
    """Bytes of the root disk."""
    disks: tuple[tuple[str, int], ...] = ()
    """Storage and bytes of further disks; the root disk's storage when it is empty."""
    node: str = ""
    nodes: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    storage: str = ""
    """Declared for the root disk."""
    default_storage: str = ""
    full: bool = False
    bridges: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """Names of PCI mappings."""
    spread: str = ""
    ha: Ha | None = None
    template: str = ""
    """Empty for a VM that installs itself."""
    iso_storage: str = ""
    image: str = ""
    """The ISO image that has to be there already; empty when there is none, or the node fetches it."""

    @property
    def size(self) -> int:
        """Bytes of all its disks."""
        return self.root + sum(size for _, size in self.disks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a node has to carry once everything that belongs there runs."""

    memory: int = 0
    cpus: int = 0
    spread: Mapping[str, int] = field(default_factory=dict)
    """Hosts by their key."""
    devices: Mapping[str, int] = field(default_factory=dict)
    """Mapped devices in use, by mapping."""
    guests: tuple[int, ...] = ()
    """Bytes of each guest."""

    def with_wish(self, wish: Wish) -> Load:
        """The load after the host came."""
        spread, devices = dict(self.spread), dict(self.devices)
        if wish.spread:
            spread[wish.spread] = spread.get(wish.spread, 0) + 1
        for name in wish.devices:
            devices[name] = devices.get(name, 0) + 1
        return Load(
            memory=self.memory + wish.memory,
            cpus=self.cpus + wish.cpus,
            spread=spread,
            devices=devices,
            guests=(*self.guests, wish.memory),
        )


EMPTY = Load()


@dataclass(slots=True, kw_only=True)
class Situation:
    """The site as placement sees it. Only `place` and `stand_by` change it: they add what was promised to a host."""

    nodes: tuple[NodeState, ...]
    storages: Mapping[tuple[NodeName, str], StorageState]
    capacity: Capacity
    loads: dict[NodeName, Load] = field(default_factory=dict)
    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    """Bytes that hosts of this run will take, by storage and node; the node is empty for a shared storage."""
    standby: dict[tuple[NodeName, NodeName], int] = field(default_factory=dict)
    """Bytes of the guests of the second node whose failover node is the first."""
    quorate: bool = True
    bridges: Mapping[NodeName, tuple[str, ...]] = field(default_factory=dict)
    """As far as they were read."""
    images: Mapping[NodeName, frozenset[str]] = field(default_factory=dict)
    """ISO images, as far as they were read."""
    silent: Mapping[NodeName, str] = field(default_factory=dict)
    """Nodes that the cluster calls online and that do not answer, and what came instead."""
    sdn_seen: bool = True
    """False when the token has a right on no network: what is not listed may be there."""
    devices: Mapping[str, Mapping[NodeName, int]] = field(default_factory=dict)
    """How many devices each mapping has on each node."""
    hidden: frozenset[str] = frozenset()
    """Mappings that are not listed and that the token would not see."""
    templates: Mapping[str, tuple[TemplateSeen, ...]] = field(default_factory=dict)
    """Each template and its replicas; the template itself first."""

    def load(self, node: NodeName) -> Load:
        """What the node has to carry."""
        return self.loads.get(node, EMPTY)

    def budget(self, node: NodeState) -> int:
        """Bytes of the node's memory that guests may have."""
        return int(node.memory_total * self.capacity.memory_ratio) - self.capacity.host_reserve_mib * 2**20

    def kept(self, node: NodeName) -> int:
        """Bytes that come to the node when the worst of the others dies."""
        return max((size for (failover, _), size in self.standby.items() if failover == node), default=0)

    def stand_by(self, failover: str, node: NodeName, memory: int) -> None:
        """Count a guest of `node` that fails over to another one."""
        key = (NodeName(failover), node)
        self.standby[key] = self.standby.get(key, 0) + memory

    def taken(self, storage: StorageState) -> int:
        """Bytes promised of the storage."""
        return self.promised.get((storage.name, "" if storage.shared else storage.node), 0)

    def place(self, wish: Wish, node: NodeName, route: Route) -> None:
        """Count the host where it will be."""
        self.loads[node] = self.load(node).with_wish(wish)
        if wish.ha and wish.ha.failover:
            self.stand_by(wish.ha.failover, node, wish.memory)
        for name, size in needs(wish, route):
            storage = self.storages.get((node, name))
            key = (name, "" if storage is not None and storage.shared else node)
            self.promised[key] = self.promised.get(key, 0) + size


_LINKED_SHARE = 10
"""A linked clone is taken to grow by a tenth of its disk before somebody looks."""


def needs(wish: Wish, route: Route) -> tuple[tuple[str, int], ...]:
    """Storages and the bytes that the host takes of them."""
    root = wish.root // _LINKED_SHARE if route.way is Way.LINKED else wish.root
    return ((route.storage, root), *((name or route.storage, size) for name, size in wish.disks))
