"""Choose node, storage and VM id: the same answer for the same site, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pvenix.engine.ports import NodeState, VmState
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_OVERHEAD = 1.03
"""Share of a guest's memory that its process takes on the node, estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node with why it may not take the host, or how much would be left there."""

    node: NodeName
    refused: str = ""
    left: float = 0.0
    """Share of the node's memory that stays free."""


async def probe(world: World, step: Step) -> Probe:
    """Done when the host's VM exists."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM")
    return done(f"VM {found.vmid} on {found.node}", node=found.node, vmid=str(found.vmid))


async def apply(world: World, step: Step) -> Outcome:
    """Decide, and reserve the decision for this run."""
    async with world.ledger.lock:
        host = world.host(step)
        resources = await world.survey.resources()
        vms = resources.vms
        devices = await world.pve.pci_mappings() if host.machine.proxmox.pci else {}
        candidates = rank(host, resources.nodes, vms, world.ledger.reserved(host.name, vms), devices)
        chosen = next((candidate for candidate in candidates if not candidate.refused), None)
        if chosen is None:
            raise RemoteFailure(
                f"no node can take {step.host}",
                why="; ".join(f"{candidate.node}: {candidate.refused}" for candidate in candidates),
                code="PVX0520",
            )
        vmid = choose_vmid(world, host, vms)
        world.ledger.vmids[step.host] = vmid
        world.ledger.memory[step.host] = chosen.node, host.machine.memory_mib * 2**20
    storage = host.machine.proxmox.storage or world.cluster(host).storage.get("default", "")
    explained = tuple(_explain(candidate) for candidate in candidates)
    return Outcome(
        status=Status.OK,
        summary=f"{chosen.node}, storage {storage}, VM id {vmid}",
        evidence=explained,
        facts={"node": chosen.node, "vmid": str(vmid), "storage": storage},
    )


async def commands(_world: World, _step: Step) -> Commands:
    """Nothing: placing only reads."""
    return ()


def rank(
    host: Host,
    nodes: Sequence[NodeState],
    vms: Sequence[VmState],
    reserved: Mapping[NodeName, int],
    devices: Mapping[str, frozenset[NodeName]],
) -> tuple[Candidate, ...]:
    """Nodes, best first: those with the most memory left once every VM there runs; ties by name."""
    need = host.machine.memory_mib * 2**20 * _OVERHEAD
    ranked = []
    for node in nodes:
        committed = sum(vm.memory_max for vm in vms if vm.node == node.name and not vm.template)
        left = (node.memory_total - committed - reserved.get(node.name, 0) - need) / max(1, node.memory_total)
        ranked.append(Candidate(node=node.name, refused=_refusal(host, node, left, devices), left=left))
    return tuple(sorted(ranked, key=lambda candidate: (bool(candidate.refused), -candidate.left, candidate.node)))


def _refusal(host: Host, node: NodeState, left: float, devices: Mapping[str, frozenset[NodeName]]) -> str:
    proxmox = host.machine.proxmox
    if not node.online:
        return "offline"
    if not node.memory_total:
        return "shows no memory: the API token needs Sys.Audit there"
    if proxmox.node not in ("auto", node.name):
        return f"the inventory wants {proxmox.node}"
    if proxmox.nodes and node.name not in proxmox.nodes:
        return "not in machine.proxmox.nodes"
    if node.name in proxmox.avoid:
        return "in machine.proxmox.avoid"
    for device in proxmox.pci:
        if device.mapping in devices and node.name not in devices[device.mapping]:
            return f"has no {device.mapping}"
    if left < 0:
        return "not enough memory"
    return ""


def choose_vmid(world: World, host: Host, vms: Sequence[VmState]) -> Vmid:
    """The inventory's VM id, else the first free one of the cluster's range.

    Raises: RemoteFailure when the range is used up.
    """
    if host.machine.proxmox.vmid:
        return Vmid(host.machine.proxmox.vmid)
    policy = world.cluster(host).vmid
    taken = {int(vm.vmid) for vm in vms}
    taken |= {other.machine.proxmox.vmid for other in world.fleet.hosts.values() if other.machine.proxmox.vmid}
    taken |= {int(vmid) for name, vmid in world.ledger.vmids.items() if name != host.name}
    taken |= world.ledger.refused
    for vmid in policy.ids():
        if vmid not in taken:
            return Vmid(vmid)
    raise RemoteFailure(
        f"no VM id is free of {policy.shown}",
        hint="widen clusters.*.vmid.range in inventory/site.yaml",
        code="PVX0521",
    )


def _explain(candidate: Candidate) -> str:
    return f"{candidate.node}: {candidate.refused or f'{candidate.left:.0%} of its memory stays free'}"
