"""Sites, wishes and worlds for rules about placing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from pvenix.engine.ports import NodeState, StorageState
from pvenix.lifecycle.placement.scores import rank
from pvenix.lifecycle.placement.values import GIB, Load, Situation, TemplateDisk, TemplateSeen, Wish
from pvenix.lifecycle.survey import Ledger
from pvenix.lifecycle.world import World
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid
from pvenix.model.site import Capacity, VmidPolicy


def node(name: str, *, gib: int = 64, cpus: int = 16, online: bool = True) -> NodeState:
    return NodeState(name=NodeName(name), online=online, memory_total=gib * GIB, memory_used=0, cpus=cpus)


def storage(
    name: str, on: str, *, shared: bool = True, free: int = 500, total: int = 1000, **other: Any
) -> StorageState:
    values = {"active": True, "content": ("images",), **other}
    return StorageState(name=name, node=NodeName(on), shared=shared, available=free * GIB, total=total * GIB, **values)


def template(vmid: int = 8100, on: str = "n1", *, at: str = "ssd", gib: int = 32) -> TemplateSeen:
    root = TemplateDisk(key="scsi0", storage=at, size=gib * GIB)
    drive = TemplateDisk(key="ide2", storage=at, size=0)
    return TemplateSeen(vmid=Vmid(vmid), node=NodeName(on), disks=(drive, root), root=root)


def wish(host: str = "dns01", *, gib: float = 4, cpus: int = 2, disk: int = 32, **other: Any) -> Wish:
    return Wish(host=host, memory=int(gib * GIB), cpus=cpus, root=disk * GIB, **{"template": "nixos", **other})


def site(nodes: Sequence[NodeState] | None = None, **other: Any) -> Situation:
    """Three equal nodes with a shared storage, and a template on the first."""
    nodes = nodes if nodes is not None else (node("n1"), node("n2"), node("n3"))
    storages = other.pop("storages", None) or [storage("ssd", one.name) for one in nodes]
    values: dict[str, Any] = {"capacity": Capacity(), "templates": {"nixos": (template(),)}, **other}
    return Situation(nodes=tuple(nodes), storages={(one.node, one.name): one for one in storages}, **values)


def load(gib: float = 0, cpus: int = 0, **other: Any) -> Load:
    return Load(memory=int(gib * GIB), cpus=cpus, guests=(int(gib * GIB),) if gib else (), **other)


def loads(**nodes: Load) -> dict[NodeName, Load]:
    return {NodeName(name): one for name, one in nodes.items()}


def chosen(one: Wish, where: Situation) -> str:
    best = rank(one, where)[0]
    return "" if best.refused else best.node


def refusals(one: Wish, where: Situation) -> Mapping[str, str]:
    return {found.node: found.refused for found in rank(one, where)}


def id_world(*hosts: Host, policy: VmidPolicy, promised: Mapping[str, int] | None = None) -> World:
    """As much of a world as the choice of an id reads."""
    cluster = SimpleNamespace(vmid=policy)
    ledger = Ledger(vmids={name: Vmid(vmid) for name, vmid in (promised or {}).items()})
    fleet = SimpleNamespace(hosts={one.name: one for one in hosts})
    return cast("World", SimpleNamespace(cluster=lambda _host: cluster, fleet=fleet, ledger=ledger))
