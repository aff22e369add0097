"""The templates that there are of one name: the site's own, and its replicas on other nodes."""

from __future__ import annotations

import re

from pvenix.engine.ports import VmConfig, VmState
from pvenix.lifecycle.fields.values import mib_of, parts_of
from pvenix.lifecycle.placement.values import TemplateDisk, TemplateSeen
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, Refused, RemoteFailure
from pvenix.model.names import Vmid
from pvenix.model.privileges import effective
from pvenix.model.site import Template

ROOT_DISK = "scsi0"
_DISK = re.compile(r"(?:scsi|virtio|sata|ide|efidisk|tpmstate)[0-9]{1,3}")


async def templates_of(world: World, template: Template) -> tuple[TemplateSeen, ...]:
    """The template, and its replicas by node.

    A replica is listed in `templates.<name>.replicas`, or is a template with the tag `pvenix-template-<name>`, or one of
    the template's own name; on each node the first of these that there is counts.
    Raises: Refused when the token may not see the template, RemoteFailure when there is none or a replica is no template.
    """
    listed = {vm.vmid: vm for vm in await world.survey.vms()}
    main = listed.get(Vmid(template.vmid))
    if main is None or not main.template:
        raise await _missing(world, template, main)
    found = [main]
    for node, vmid in sorted(template.replicas.items()):
        replica = listed.get(Vmid(vmid))
        if replica is None or not replica.template or replica.node != node:
            raise _no_replica(template, node, vmid, replica)
        found.append(replica)
    taken = {vm.node for vm in found}
    for group in _alike(template, main, tuple(listed.values())):
        fresh = [vm for vm in group if vm.node not in taken]
        found += fresh
        taken |= {vm.node for vm in fresh}
    return tuple([await _seen(world, vm) for vm in found])


def _alike(template: Template, main: VmState, vms: tuple[VmState, ...]) -> tuple[list[VmState], list[VmState]]:
    """Templates with the tag of this one, and templates with its name."""
    others = sorted((vm for vm in vms if vm.template and vm.vmid != main.vmid), key=lambda vm: vm.vmid)
    tagged = [vm for vm in others if f"pvenix-template-{template.name}" in vm.tags]
    named = [vm for vm in others if main.name and vm.name == main.name and vm not in tagged]
    return tagged, named


async def _seen(world: World, vm: VmState) -> TemplateSeen:
    config = await world.survey.config(vm.node, vm.vmid)
    if config is None:
        raise RemoteFailure(f"template {vm.vmid} is no longer on {vm.node}", hint="look again", code="PVX0516")
    disks = disks_in(config)
    nothing = TemplateDisk(key=ROOT_DISK, storage="", size=0)
    root = next((disk for disk in disks if disk.key == ROOT_DISK), nothing)
    return TemplateSeen(vmid=vm.vmid, node=vm.node, disks=disks, root=root)


def disks_in(config: VmConfig) -> tuple[TemplateDisk, ...]:
    """The drives of a configuration that a clone gets too: its disks and its cloud-init drive, no CD-ROM image."""
    found = []
    for key, value in sorted(config.values.items()):
        storage, colon, volume = value.partition(",")[0].partition(":")
        image = "media=cdrom" in value and "cloudinit" not in volume
        if _DISK.fullmatch(key) and colon and not image:
            mib = mib_of(parts_of(key, value).get("size", ""))
            found.append(TemplateDisk(key=key, storage=storage, size=int(mib * 2**20)))
    return tuple(found)


async def _missing(world: World, template: Template, found: VmState | None) -> PvenixError:
    if found is not None:
        return RemoteFailure(
            f"VM {template.vmid} ({found.name}) is no template",
            hint=f"make it one, or correct templates.{template.name}.vmid in inventory/site.yaml",
            code="PVX0516",
        )
    granted = await world.survey.permissions()
    if "VM.Audit" not in effective(granted, f"/vms/{template.vmid}"):
        return Refused(
            f"the API token does not see template {template.vmid}",
            why="without VM.Audit the lists leave a VM out and say nothing",
            hint=f"it takes VM.Audit on /vms/{template.vmid}: `pvenix doctor` prints the pveum lines",
            code="PVX0532",
        )
    known = ", ".join(f"{vm.vmid} {vm.name}" for vm in await world.survey.vms() if vm.template)
    return RemoteFailure(
        f"template {template.vmid} does not exist",
        why=f"the cluster's templates are {known}" if known else "",
        hint=f"make it, or correct templates.{template.name}.vmid in inventory/site.yaml",
        code="PVX0516",
    )


def _no_replica(template: Template, node: str, vmid: int, found: VmState | None) -> RemoteFailure:
    kind = "template" if found is not None and found.template else "VM"
    seen = "there is no such VM" if found is None else f"it is a {kind} on {found.node}"
    return RemoteFailure(
        f"{vmid} is no replica of template {template.name} on {node}",
        why=seen,
        hint=f"correct templates.{template.name}.replicas in inventory/site.yaml",
        code="PVX0526",
    )
