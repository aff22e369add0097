"""Which VM id a host gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, RemoteFailure
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A VM id, and what the person should know of it."""

    vmid: Vmid
    warnings: tuple[str, ...] = ()


def choose_vmid(world: World, host: Host, listed: frozenset[int], orphans: Mapping[int, str]) -> Chosen:
    """The inventory's VM id, else the first free one of the cluster's ranges.

    `listed` are the ids of VMs and containers; `orphans` are volumes by the id that they belong to; an id without a VM that has some is skipped: who destroys the new
    VM may destroy them with it, and nobody knows whose data they are.
    Raises: RemoteFailure when the ranges are used up.
    """
    declared = host.machine.proxmox.vmid
    if declared:
        left = orphans.get(declared) if declared not in listed else None
        return Chosen(
            vmid=Vmid(declared), warnings=(f"{left} has the id of {host.name}, but no VM has it",) if left else ()
        )
    policy = world.cluster(host).vmid
    taken = listed | {other.machine.proxmox.vmid for other in world.fleet.hosts.values()}
    taken |= {int(vmid) for name, vmid in world.ledger.vmids.items() if name != host.name}
    taken |= world.ledger.refused
    skipped: list[str] = []
    for vmid in policy.ids():
        if vmid in taken:
            continue
        if vmid not in orphans:
            return Chosen(vmid=Vmid(vmid), warnings=tuple(skipped))
        skipped.append(f"VM id {vmid} is skipped: {orphans[vmid]} is there and no VM has that id")
    raise RemoteFailure(
        f"no VM id is free in {policy.shown}",
        why="; ".join(skipped),
        hint="widen clusters.*.vmid.range in inventory/site.yaml",
        code="PVX0521",
    )


async def orphans_on(world: World, node: NodeName, storages: frozenset[str], listed: frozenset[int]) -> dict[int, str]:
    """A volume for each id that is not listed and has one on the storages, as far as the token may list them."""
    found: dict[int, str] = {}
    for storage in sorted(storages):
        try:
            volumes = await world.survey.volumes(node, storage, "images")
        except PvenixError:  # not listable: Proxmox itself refuses what it cannot do, and nothing is claimed of it here
            continue
        for volume in volumes:
            if volume.vmid and volume.vmid not in listed:
                found.setdefault(volume.vmid, volume.id)
    return found
