"""What is wrong with a host's fields that only the site can tell, each where it is written, with the choices there are.

A list that the token may see only in part proves nothing: what is not in it is wrong only where the token would see it
(`effective`), and otherwise cannot be checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from typing import Final

from pvenix.engine.ports import StorageState, VmPending, VmState
from pvenix.lifecycle.fields.values import mib_of, parts_of
from pvenix.lifecycle.placement.templates import ROOT_DISK, disks_in
from pvenix.lifecycle.planning import attachments
from pvenix.lifecycle.planning.asking import DISK, IMAGE, NODE, STORAGE, TEMPLATE, VMID, Asked, Kind, any_of
from pvenix.lifecycle.template import template_findings
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, Unreachable
from pvenix.model.findings import Finding
from pvenix.model.host import Host, Install
from pvenix.model.nearest import did_you_mean

_SEES_STORAGE: Final = ("Datastore.Audit", "Datastore.AllocateSpace")
_STORAGE: Final = Kind(word="storage", code=STORAGE, acl="/storage/{}", privileges=_SEES_STORAGE)
_TEMPLATE: Final = Kind(word="template", code=TEMPLATE, acl="/vms/{}", privileges=("VM.Audit",))
_GIB: Final = 1024


async def problems(world: World, host: Host, seen: VmPending | None) -> tuple[Finding, ...]:
    """Everything that is wrong between the host and the site; `seen` is its VM's configuration, None when it has none.

    Raises: Unreachable when the cluster does not answer.
    """
    asked = Asked(world=world, host=host, seen=seen, resources=await world.survey.resources())
    found = [*_nodes(asked), *_taken(asked), *(_shrunk(asked, seen) if seen is not None else ())]
    parts = [_storages(asked), attachments.bridges(asked), attachments.mappings(asked)]
    parts += [attachments.pool(asked), attachments.jobs(asked)]
    if seen is None:
        parts += [_template(asked), _image(asked)]
    for part in parts:
        found.extend([one async for one in part])
    return tuple(dict.fromkeys(found))


def _nodes(asked: Asked) -> Iterator[Finding]:
    """Nodes are listed for every token."""
    known = [node.name for node in asked.resources.nodes]
    proxmox = asked.host.machine.proxmox
    wanted: list[tuple[str, tuple[str | int, ...]]] = [(proxmox.node, ("proxmox", "node"))]
    wanted += [(name, ("proxmox", "nodes", index)) for index, name in enumerate(proxmox.nodes)]
    wanted += [(name, ("proxmox", "avoid", index)) for index, name in enumerate(proxmox.avoid)]
    wanted += [(proxmox.ha.failover, ("proxmox", "ha", "failover"))] if proxmox.ha else []
    for name, path in wanted:
        if name not in ("", "auto", *known):
            yield asked.at(*path).finding(NODE, f"there is no node `{name}`", did_you_mean(name, known))


def _taken(asked: Asked) -> Iterator[Finding]:
    """An id that another VM has; another VM's name is no proof, its id is."""
    vmid = asked.host.machine.proxmox.vmid
    if not vmid or asked.seen is not None:
        return
    owners = [
        f"{'template' if vm.template else 'VM'} `{vm.name}` on {vm.node}"
        for vm in asked.resources.vms
        if vm.vmid == vmid and (vm.name not in ("", asked.host.name) or vm.template)
    ]
    owners += ["a container"] if vmid in asked.resources.containers else []
    free = _free(asked) if owners else []
    hint = f"free: {', '.join(map(str, free))}; or leave it out, and one is chosen" if free else ""
    for owner in owners:
        yield asked.at("proxmox", "vmid").finding(VMID, f"VM id {vmid} is taken by {owner}", hint)


def _free(asked: Asked) -> list[int]:
    taken = asked.resources.ids | {other.machine.proxmox.vmid for other in asked.world.fleet.hosts.values()}
    free = (vmid for vmid in asked.world.cluster(asked.host).vmid.ids() if vmid not in taken)
    return [vmid for vmid, _ in zip(free, range(3), strict=False)]


async def _storages(asked: Asked) -> AsyncIterator[Finding]:
    """The storages of disks, images and backups."""
    proxmox, backup = asked.host.machine.proxmox, asked.host.machine.backup
    wanted: list[tuple[str, str, tuple[str | int, ...]]] = [(proxmox.storage, "images", ("proxmox", "storage"))]
    for index, disk in enumerate(proxmox.disks):
        wanted.append((disk.storage, "images", ("proxmox", "disks", index, "storage")))
    wanted.append((backup.storage, "backup", ("backup", "storage")))
    iso = asked.host.machine.iso
    if iso is not None and asked.seen is None:
        wanted.append((iso.wanted.partition(":")[0], "iso", ("iso", "storage" if iso.url else "volume")))
    for name, content, path in wanted:
        problem = await _storage(asked, name, content, path) if name else None
        if problem is not None:
            yield problem


async def _storage(asked: Asked, name: str, content: str, path: tuple[str | int, ...]) -> Finding | None:
    candidates = asked.candidates()
    there = [one for one in asked.resources.storages if one.name == name]
    if any(one.node in candidates and _takes(one, content) for one in there):
        return None
    at = asked.at(*path)
    here = [one for one in asked.resources.storages if one.node in candidates]
    usable = sorted({one.name for one in here if _takes(one, content)})
    if not there:
        known = usable or {one.name for one in asked.resources.storages}
        return await asked.unknown(at, _STORAGE, name, known)
    mine = [one for one in there if one.node in candidates]
    hint = f"those that can: {', '.join(usable)}" if usable else ""
    if not mine and candidates:
        nodes = ", ".join(sorted(one.node for one in there))
        return at.finding(STORAGE, f"storage `{name}` is not on {any_of(candidates)}, only on {nodes}", hint)
    if mine and not any(content in one.content for one in mine):
        takes = ", ".join(mine[0].content) or "nothing"
        return at.finding(STORAGE, f"storage `{name}` takes no {content}, only {takes}", hint)
    if mine:
        return at.finding(STORAGE, f"storage `{name}` is not active on {any_of(candidates)}", hint)
    return None


async def _template(asked: Asked) -> AsyncIterator[Finding]:
    """The template, and that the root disk is not smaller than its own (F22)."""
    if asked.host.machine.install is not Install.CLONE:
        return
    template = asked.world.fleet.site.templates[asked.host.machine.template]
    at = asked.world.fleet.site_place("templates", template.name, "vmid")
    known = [vm for vm in asked.resources.vms if vm.template]
    vm = next((one for one in asked.resources.vms if one.vmid == template.vmid), None)
    if vm is None:
        found = await asked.unknown(at, _TEMPLATE, str(template.vmid), ())
        yield found if found.warning else replace(found, hint=_templates(known))
    elif not vm.template:
        yield at.finding(TEMPLATE, f"VM {template.vmid} ({vm.name}) is no template", _templates(known))
    else:
        smaller = await _smaller(asked, vm)
        if smaller is not None:
            yield smaller
        for fault in await template_findings(asked.world, template):
            yield fault


async def _smaller(asked: Asked, vm: VmState) -> Finding | None:
    try:
        config = await asked.world.survey.config(vm.node, vm.vmid)
    except Unreachable:
        return None
    root = next((disk for disk in disks_in(config) if disk.key == ROOT_DISK), None) if config else None
    wanted = asked.host.machine.disk_mib
    if root is None or wanted * 2**20 >= root.size:
        return None
    least = -(-root.size // 2**30)
    what = f"a disk of {wanted / _GIB:g}G is smaller than that of template {vm.vmid}, which has {least}G"
    return asked.at("disk").finding(DISK, what, f"write {least}G or more, or choose another class")


def _shrunk(asked: Asked, seen: VmPending) -> Iterator[Finding]:
    """Disks that would be smaller than they are."""
    machine = asked.host.machine
    wanted: list[tuple[str, int, tuple[str | int, ...]]] = [(ROOT_DISK, machine.disk_mib, ("disk",))]
    for index, disk in enumerate(machine.proxmox.disks):
        wanted.append((disk.slot, disk.size_mib, ("proxmox", "disks", index, "size")))
    for slot, size, path in wanted:
        present = mib_of(parts_of(slot, seen.config.values.get(slot, "")).get("size", ""))
        if size < present:
            what = f"{slot} has {present / _GIB:g}G and would shrink to {size / _GIB:g}G, which nothing does"
            yield asked.at(*path).finding(DISK, what, f"write {present / _GIB:g}G or more")


async def _image(asked: Asked) -> AsyncIterator[Finding]:
    """The ISO image, unless it is downloaded."""
    iso = asked.host.machine.iso
    if iso is None or not iso.volume or asked.host.machine.install is not Install.ISO:
        return
    storage = iso.volume.partition(":")[0]
    holders = [one for one in asked.resources.storages if one.name == storage and one.node in asked.candidates()]
    holder = next((one for one in holders if _takes(one, "iso")), None)
    if holder is None:
        return
    try:
        known = [volume.id for volume in await asked.world.survey.volumes(holder.node, storage, "iso")]
    except (Refused, Unreachable):
        return
    if iso.volume not in known:
        kind = Kind(word="ISO image", code=IMAGE, acl=f"/storage/{storage}", privileges=_SEES_STORAGE)
        yield await asked.unknown(asked.at("iso", "volume"), kind, iso.volume, known)


def _takes(storage: StorageState, content: str) -> bool:
    return storage.active and content in storage.content


def _templates(known: Iterable[VmState]) -> str:
    shown = ", ".join(f"{vm.vmid} ({vm.name})" for vm in sorted(known, key=lambda vm: vm.vmid))
    return f"templates are {shown}" if shown else "make one, and name its VM id here"
