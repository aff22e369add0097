"""Hosts, nodes and VMs for rules that need no site."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from pvenix.engine.ports import FileChange, NodeState, VmConfig, VmState
from pvenix.fleet.load import Fleet
from pvenix.model.host import Host, Machine, Network, Proxmox
from pvenix.model.names import NodeName, Vmid

GIB = 2**30


def host(name: str = "dns01", **machine: Any) -> Host:
    """A host; `proxmox` and `network` take a mapping of their fields."""
    values = dict(machine)
    values["proxmox"] = Proxmox(**values.get("proxmox", {}))
    values["network"] = Network(**values.get("network", {}))
    return Host(name=name, groups=(), machine=Machine(**values))


def node(name: str, *, total_gib: int = 64, online: bool = True) -> NodeState:
    return NodeState(name=NodeName(name), online=online, memory_total=total_gib * GIB, memory_used=0, cpus=8)


def vm(vmid: int, on: str, *, memory_gib: float = 4, template: bool = False, name: str = "") -> VmState:
    return VmState(
        vmid=Vmid(vmid), node=NodeName(on), name=name or f"vm{vmid}", status="running", template=template, tags=(),
        memory_max=int(memory_gib * GIB),
    )  # fmt: skip


def config(**values: str) -> VmConfig:
    return VmConfig(values=values, digest="d")


def fleet(*hosts: Host) -> Fleet:
    """As much of a fleet as rules about hosts read."""
    return cast("Fleet", SimpleNamespace(hosts={one.name: one for one in hosts}))


def change(path: str, new: str | None = "text\n", **fields: Any) -> FileChange:
    return replace(FileChange(path=path, old=None, new=new), **fields)
