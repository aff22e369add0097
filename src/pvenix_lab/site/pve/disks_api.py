"""Changing disks: resize and move (proxmox.md a4, F22, F23; source: qemu-server 8.4 resize_vm, move_vm_disk)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.config_write import Change, check_change, check_vm, write_change
from pvenix_lab.site.pve.disks import make_base, make_cloudinit
from pvenix_lab.site.pve.drives import UNUSED, add_unused, in_use, is_cdrom, parse_drive, print_drive
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.needs import need_vm, root_parameters
from pvenix_lab.site.pve.sizes import print_size, size_bytes
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import Vm
    from pvenix_lab.site.pve.volumes import Volume

_VM = "/nodes/{node}/qemu/{vmid}"
_STALE = "checksum mismatch (file change by other user?)"
_MODIFIED = "detected modified configuration - file changed by other user? Try again."
_EITHER = "either set 'storage' or 'target-vmid', but not both"
_NEITHER = "both 'storage' and 'target-vmid' missing, either needs to be set"


@route("PUT", _VM + "/resize")
async def resize(call: Call) -> str:
    """Grow a disk in a task; a missing disk or VM, a lock, a missing right to the storage and a shrink show up only there."""
    root_parameters(call, "skiplock")

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = find_vm(call.cluster, call.text("node"), call.vmid)
            if "digest" in call.params and call.text("digest") != vm.digest():
                raise PveError(_STALE)
            check_lock(vm)
            if _resize(call, vm, call.text("disk"), call.text("size")):
                await call.site.sleep(call.site.timings.resize_s)
                task.log("Image resized.")

    return launch(call, "resize", worker)


def _resize(call: Call, vm: Vm, key: str, wanted: str) -> bool:
    """True if the disk grew. The size that counts is the volume's, not the one that the configuration shows."""
    drive, volume = _disk_of(call, vm, key, "resize")
    call.require(f"/storage/{volume.storage}", "Datastore.AllocateSpace")
    new = size_bytes(wanted.lstrip("+")) + (volume.size if wanted.startswith("+") else 0)
    if new < volume.size:
        raise PveError("shrinking disks is not supported")
    if new == volume.size:
        return False
    storage = volumes.storage_named(call.cluster, volume.storage, vm.node)
    if new - volume.size > volumes.room(call.cluster, storage, vm.node)["avail"]:
        raise PveError(volumes.full_text(storage, volume.name))
    volume.size = new
    vm.config[key] = print_drive(drive["file"], drive | {"size": print_size(new)})
    return True


def _disk_of(call: Call, vm: Vm, key: str, verb: str) -> tuple[dict[str, str], Volume]:
    if key not in vm.config:
        raise PveError(f"disk '{key}' does not exist")
    drive = parse_drive(vm.config[key])
    if is_cdrom(drive, strict=verb == "move"):
        raise PveError(f"you can't {verb} a cdrom")
    if drive["file"] == "none":
        raise PveError(f"disk '{key}' has no associated volume")
    return drive, volumes.existing(call.cluster, vm.node, drive["file"])


@route("POST", _VM + "/move_disk")
async def move_disk(call: Call) -> str:
    """Move a disk to another storage, or to another VM of the same node, in a task."""
    wanted = [name for name in ("storage", "target-vmid") if name in call.params]
    if len(wanted) != 1:
        text = _EITHER if wanted else _NEITHER
        raise ParameterError({"target-vmid": text, "storage": text})
    return _to_vm(call) if wanted == ["target-vmid"] else _to_storage(call)


def _to_storage(call: Call) -> str:
    call.require(f"/storage/{call.text('storage')}", "Datastore.AllocateSpace")
    _check_move(call)

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm, drive, old = _check_move(call)
            try:
                await _move(call, task, vm, drive, old)
            except PveError as error:
                raise PveError(f"storage migration failed: {error.message}") from None

    return launch(call, "qmmove", worker)


def _check_move(call: Call) -> tuple[Vm, dict[str, str], Volume]:
    vm, key = call.vm(), call.text("disk")
    check_lock(vm)
    if "digest" in call.params and call.text("digest") != vm.digest():
        raise PveError(_MODIFIED)
    drive, old = _disk_of(call, vm, key, "move")
    fmt = call.text("format")
    file_format = old.format if "." in old.name else ""
    if old.storage == call.text("storage") and (not fmt or not file_format or fmt == file_format):
        raise PveError("you can't move to the same storage with same format")
    storage = volumes.storage_named(call.cluster, call.text("storage"), vm.node)
    if "images" not in storage.content:
        raise ParameterError({"storage": f"storage '{storage.name}' does not support vm images"})
    if call.flag("delete") and in_use(vm, key, old.volid):
        raise PveError("you can't move a disk with snapshots and delete the source")
    return vm, drive, old


async def _move(call: Call, task: Task, vm: Vm, drive: dict[str, str], old: Volume) -> None:
    cluster, key = call.cluster, call.text("disk")
    storage = volumes.storage_named(cluster, call.text("storage"), vm.node)
    files = storage.type in volumes.FILE_TYPES
    fmt = call.text("format") or (old.format if files else "raw")
    now = int(call.site.wall())
    task.log(f"create full clone of drive {key} ({old.volid})")
    if is_cdrom(drive):  # only the cloud-init drive comes here, and it keeps its name
        new = make_cloudinit(call, storage, vm.node, vm.vmid, call.text("format") or None)
    else:
        new = volumes.allocate(cluster, storage, vm.node, vm.vmid, old.size, fmt=fmt, now=now)
    await call.site.sleep(call.site.timings.clone_s)
    size = print_size(old.size)
    task.log(f"transferred {size} of {size} (100.00%)")
    if vm.template and not is_cdrom(drive):
        make_base(call, new)
    vm.config[key] = print_drive(new.volid, drive | {"size": size})
    if not call.flag("delete"):
        add_unused(vm, old.volid)
        return
    try:
        volumes.free(cluster, old)
    except PveError as error:
        task.log(error.message)


def _to_vm(call: Call) -> str:
    target_id = call.number("target-vmid")
    need_vm(call, target_id, "VM.Config.Disk")
    if target_id == call.vmid:
        raise ParameterError({"target-vmid": "must be different than source VMID to reassign disk"})
    _, _, volume = _check_reassign(call)
    call.require(f"/storage/{volume.storage}", "Datastore.AllocateSpace")
    key = call.text("disk")
    slot = call.text("target-disk", key)

    async def worker(task: Task) -> None:
        async with (
            held(call.cluster, call.text("node"), call.vmid),
            held(call.cluster, call.text("node"), target_id),
        ):
            _reassign(call, task, key, slot)

    return launch(call, "qmmove", worker, identity=f"{call.vmid}-{key}>{target_id}-{slot}")


def _check_reassign(call: Call) -> tuple[Vm, Vm, Volume]:
    cluster, key = call.cluster, call.text("disk")
    source, target = cluster.vms.get(call.vmid), cluster.vms.get(call.number("target-vmid"))
    slot = call.text("target-disk", key)
    if source is None:
        raise PveError(f"could not find VM {call.vmid}")
    if target is None:
        raise PveError(f"could not find target VM {call.number('target-vmid')}")
    if source.node != target.node:
        raise PveError(f"Both VMs need to be on the same node ({source.node} != {target.node})")
    check_lock(source)
    check_lock(target)
    if source.template or target.template:
        raise PveError("Can't move disks from or to template VMs")
    for vm, name in ((source, "digest"), (target, "target-digest")):
        if name in call.params and call.text(name) != vm.digest():
            raise PveError(f"VM {vm.vmid}: {_MODIFIED}")
    if key not in source.config:
        raise PveError(f"Disk '{key}' for VM '{source.vmid}' does not exist")
    if slot in target.config:
        raise PveError(f"Target disk key '{slot}' is already in use for VM '{target.vmid}'")
    return source, target, _movable(call, source, key)


def _movable(call: Call, source: Vm, key: str) -> Volume:
    drive = parse_drive(source.config[key])
    if is_cdrom(drive):
        raise PveError("CD drive contents can't be moved to another VM")
    volume = volumes.existing(call.cluster, source.node, drive["file"])
    if in_use(source, key, volume.volid):
        raise PveError("Can't move disk used by a snapshot to another VM")
    if source.running and not UNUSED.fullmatch(key):
        raise PveError("Cannot move disk to another VM while the source VM is running - detach first")
    return volume


def _reassign(call: Call, task: Task, key: str, slot: str) -> None:
    source, target, volume = _check_reassign(call)
    task.log(f"moving disk '{key}' from VM '{source.vmid}' to '{target.vmid}'")
    storage = call.cluster.storages[volume.storage]
    drive = parse_drive(source.config.pop(key))
    name = volumes.disk_name(call.cluster, storage, target.vmid, volume.format)
    volumes.rename(call.cluster, volume, re.sub(r"[^/]+/[^/]+$", name, volume.name) if name.count("/") else name)
    volume.vmid = target.vmid
    order = split_list(parse_properties(str(source.config.get("boot", ""))).get("order", ""))
    if key in order:
        task.log(f"removing disk '{key}' from boot order config")
        source.config["boot"] = f"order={';'.join(item for item in order if item != key)}"
    task.log(f"removing disk '{key}' from VM '{source.vmid}' config")
    if UNUSED.fullmatch(slot):
        target.config[slot] = volume.volid
        return
    text = print_drive(volume.volid, drive)
    change = Change(settings={slot: text}, delete=[], revert=[], digest=call.text("target-digest"))
    target_call = replace(call, params={"node": target.node, "vmid": target.vmid})
    check_change(target_call, change)
    check_vm(target, change)
    write_change(target_call, target, change, task.log)
