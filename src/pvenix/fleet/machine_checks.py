"""Fields of one host that contradict each other, or cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvenix.fleet import codes
from pvenix.fleet.node import Node
from pvenix.model.findings import Finding
from pvenix.model.units import mib

ROOT_SLOT = "scsi0"
_LAST_SLOT = {"scsi": 30, "virtio": 15, "sata": 5}
"""Source: qemu-server, `PVE/QemuServer/Drive.pm`, `MAX_SCSI_DISKS` and its like."""
_GIB, _TIB = 1024, 1024 * 1024
_MOST_MEMORY = 16 * _TIB
_MOST_DISK = 1024 * _TIB


def findings(machine: Node) -> Iterator[Finding]:
    """Everything that is wrong within the merged fields of a host."""
    yield from _install(machine)
    yield from _sizes(machine)
    yield from _slots(machine)
    yield from _nodes(machine)
    yield from _absent(machine)
    yield from _second_net(machine)


def _install(machine: Node) -> Iterator[Finding]:
    install, iso = machine.get("install"), machine.get("iso")
    if install is not None and install.value == "iso" and iso is None:
        hint = "add `iso: {volume: local:iso/NAME.iso}`, or {url, sha256, storage}"
        yield install.finding(codes.MISSING, "`install: iso` needs an image to boot from", hint)
    elif iso is not None and (install is None or install.value != "iso"):
        yield iso.finding(codes.VALUE, "`iso` is only used with `install: iso`", "add `install: iso`, or remove it")


def _sizes(machine: Node) -> Iterator[Finding]:
    disks = machine.get("proxmox", "disks")
    sizes = [machine.get("disk"), *(disk.get("size") for disk in (disks.items if disks is not None else ()))]
    for node in sizes:
        size = size_of(node)
        if node is not None and 0 < size < _GIB:
            yield node.finding(codes.VALUE, f"a disk of {size} MiB cannot be meant", f"write {size}G, or at least 1G")
        elif node is not None and size > _MOST_DISK:
            yield node.finding(codes.VALUE, f"a disk of {size // _TIB} TiB cannot be meant", "write a size such as 20G")
    memory, balloon = machine.get("memory"), machine.get("balloon")
    if memory is not None and size_of(memory) > _MOST_MEMORY:
        what = f"{size_of(memory) // _TIB} TiB of memory cannot be meant"
        yield memory.finding(codes.VALUE, what, "write a size such as 4G")
    if memory is not None and balloon is not None and size_of(balloon) > size_of(memory) > 0:
        what = f"`balloon` is more than `memory` ({size_of(memory)} MiB)"
        yield balloon.finding(
            codes.VALUE, what, "it is the least that the guest keeps when its node is short of memory"
        )


def _slots(machine: Node) -> Iterator[Finding]:
    disks = machine.get("proxmox", "disks")
    first: dict[str, Node] = {}
    for disk in disks.items if disks is not None else ():
        node = disk.get("slot")
        match = re.fullmatch(r"([a-z]+)([0-9]{1,2})", str(node.value)) if node is not None else None
        if node is None or match is None or match[1] not in _LAST_SLOT:
            continue  # the schema has said so
        slot = f"{match[1]}{int(match[2])}"
        holder = first.setdefault(slot, node)
        if int(match[2]) > _LAST_SLOT[match[1]]:
            last = _LAST_SLOT[match[1]]
            yield node.finding(codes.VALUE, f"there is no slot {slot}", f"{match[1]}0 to {match[1]}{last}")
        elif slot == ROOT_SLOT:
            what = f"slot {slot} is the root disk's"
            yield node.finding(codes.CLASH, what, "its size is `disk`; take another slot, such as scsi2")
        elif holder is not node:
            where = f"the first one is at {holder.file}:{holder.line}"
            yield node.finding(codes.CLASH, f"two disks have the slot {slot}", where)


def _nodes(machine: Node) -> Iterator[Finding]:
    node, nodes, avoid = (machine.get("proxmox", key) for key in ("node", "nodes", "avoid"))
    allowed = [item.value for item in nodes.items] if nodes is not None else []
    avoided = [item.value for item in avoid.items] if avoid is not None else []
    named = node is not None and isinstance(node.value, str) and node.value != "auto"
    if node is not None and named and allowed and node.value not in allowed:
        hint = f"write one of {', '.join(map(str, allowed))}, or auto"
        yield node.finding(codes.VALUE, f"`proxmox.node` {node.value} is not in `proxmox.nodes`", hint)
    elif node is not None and named and node.value in avoided:
        what = f"`proxmox.node` {node.value} is in `proxmox.avoid`"
        yield node.finding(codes.VALUE, what, "choose another node, or let it not be avoided")
    elif allowed and nodes is not None and set(allowed) <= set(avoided):
        what = "every node of `proxmox.nodes` is in `proxmox.avoid`"
        yield nodes.finding(codes.VALUE, what, "leave at least one")
    failover = machine.get("proxmox", "ha", "failover")
    if failover is not None and named and node is not None and failover.value == node.value:
        yield failover.finding(codes.VALUE, f"{failover.value} is the host's own node", "fail over to another one")


def _absent(machine: Node) -> Iterator[Finding]:
    state, controller = machine.get("state"), machine.get("self")
    if state is None or state.value != "absent":
        return
    if controller is not None and controller.value is True:
        yield state.finding(codes.VALUE, "the host that runs pvenix cannot be absent", "give `self: true` to another")


def _second_net(machine: Node) -> Iterator[Finding]:
    rungs, before = machine.get("update", "second_net"), machine.get("snapshot", "before_update")
    named = [item for item in rungs.items if item.value == "snapshot"] if rungs is not None else []
    if named and (before is None or before.value is not True):
        what = "`update.second_net` names a snapshot that is not taken"
        yield named[0].finding(codes.VALUE, what, "add `snapshot: {before_update: true}`, or take it out")
    controller = machine.get("self")
    if before is not None and before.value is True and controller is not None and controller.value is True:
        what = "the host that runs pvenix takes no snapshot of itself"
        yield before.finding(codes.VALUE, what, "`before_update` has no effect on it", warning=True)


def size_of(node: Node | None) -> int:
    """The size that a node says in MiB, 0 when it says none."""
    try:
        return mib(node.value) if node is not None else 0
    except ValueError:
        return 0
