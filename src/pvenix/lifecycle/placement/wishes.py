"""What a host of the inventory asks of a node."""

from __future__ import annotations

from pvenix.fleet.load import Fleet
from pvenix.lifecycle.placement.values import Wish
from pvenix.model.host import Host, Install
from pvenix.model.site import Cluster

MIB = 2**20


def memory_of(guest: int) -> int:
    """Bytes that a guest with `guest` bytes takes of its node: QEMU itself takes 3 % and 128 MiB more (estimated)."""
    return guest + guest * 3 // 100 + 128 * MIB


def wish_of(fleet: Fleet, host: Host, cluster: Cluster, *, full: bool = False) -> Wish:
    """What `host` asks; `full` asks for copied disks whatever the inventory says."""
    machine, proxmox = host.machine, host.machine.proxmox
    iso = machine.install is Install.ISO
    return Wish(
        host=host.name,
        memory=memory_of(machine.memory_mib * MIB),
        cpus=machine.cores,
        root=machine.disk_mib * MIB,
        disks=tuple((disk.storage, disk.size_mib * MIB) for disk in proxmox.disks),
        node="" if proxmox.node == "auto" else proxmox.node,
        nodes=proxmox.nodes,
        avoid=proxmox.avoid,
        storage=proxmox.storage if _is_declared(fleet, host) else "",
        default_storage=cluster.storage.get("default", ""),
        full=full or proxmox.full,
        bridges=tuple(dict.fromkeys(bridges_of(fleet, host))),
        devices=tuple(device.mapping for device in proxmox.pci),
        spread=proxmox.spread,
        ha=proxmox.ha,
        template="" if iso else machine.template,
        iso_storage=machine.iso.wanted.partition(":")[0] if iso and machine.iso else "",
        image=machine.iso.volume if iso and machine.iso else "",
    )


def _is_declared(fleet: Fleet, host: Host) -> bool:
    """True when somebody asked for the root disk's storage, and not only the cluster has a default."""
    if "proxmox.storage" not in host.declared:
        return False
    [explained] = fleet.explain(host.name, "proxmox.storage")
    return not explained.origins[0].layer.startswith("cluster ")


def bridges_of(fleet: Fleet, host: Host) -> list[str]:
    """The bridges that the host's cards are to be on, without those that the template decides."""
    zones = fleet.site.zones
    named = (card.bridge or (zones[card.zone].bridge if card.zone in zones else "") for card in host.machine.cards)
    return [bridge for bridge in named if bridge]
