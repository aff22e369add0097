"""Cloning: what is copied, what is renewed, and which errors come late (proxmox.md a4, a5, section 4)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.options import free_disk_name, print_drive
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY, NET_KEY, Vm, new_mac, new_uuid

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

_MAC = re.compile(r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")
_NOT_COPIED = re.compile(r"template|parent|lock|unused\d+|vmstate|snaptime")


@route("POST", "/nodes/{node}/qemu/{vmid}/clone")
async def clone(call: Call) -> str:
    """Start a clone; the UPID carries the source."""
    source = call.vm()
    full = call.flag("full", default=not source.template)
    newid = call.number("newid")
    _check(call, source, full=full)

    async def worker(task: Task) -> None:
        await _clone_in_task(call, task, source, newid, full=full)

    return launch(call, "qmclone", worker)


def clone_now(  # noqa: PLR0913  the parameters of the API's clone
    site: Site,
    source: Vm,
    newid: int,
    *,
    name: str | None = None,
    node: str | None = None,
    full: bool = False,
    storage: str | None = None,
    description: str | None = None,
    pool: str | None = None,
) -> Vm:
    """Clone at once, without a task: the configuration and the guest's disk. For seeding a site.

    Raises:
        PveError: the id is taken.
    """
    if newid in site.cluster.vms:
        raise PveError(f"unable to create VM {newid}: config file already exists")
    vm = Vm(vmid=newid, node=node or source.node, pool=pool)
    site.cluster.vms[newid] = vm
    _copy_config(site, source, vm, full=full, storage=storage)
    vm.config["name"] = name or f"Copy-of-VM-{source.name}"
    if description is not None:
        vm.config["description"] = description
    site.clone_disk(source.vmid, newid)
    return vm


def _check(call: Call, source: Vm, *, full: bool) -> None:
    cluster, newid = call.cluster, call.number("newid")
    if "pool" in call.params and call.text("pool") not in cluster.pools:
        raise PveError(f"pool '{call.text('pool')}' does not exist")
    target = call.text("target", source.node)
    if target not in cluster.nodes:
        raise PveError(f"no such cluster node '{target}'")
    if "snapname" in call.params and call.text("snapname") not in source.snapshots:
        raise PveError(f"snapshot '{call.text('snapname')}' does not exist")
    check_lock(source)
    if newid in cluster.vms:
        raise PveError(f"unable to create VM {newid}: config file already exists")
    if not full:
        _check_linked(call, source)
    _check_storage(call, source, target)


def _check_linked(call: Call, source: Vm) -> None:
    for name in ("storage", "format"):
        if name in call.params:
            raise PveError(f"parameter '{name}' not allowed for linked clones")
    if not source.template:
        raise PveError("Linked clone feature is not supported for drive 'scsi0'")


def _check_storage(call: Call, source: Vm, target: str) -> None:
    if "storage" in call.params:
        storage = call.cluster.storages.get(call.text("storage"))
        if storage is None:
            raise PveError(f"storage '{call.text('storage')}' does not exist")
        if "images" not in storage.content:
            raise PveError(f"storage '{storage.name}' does not support content-type 'images'")
        if target != source.node and not storage.shared:
            raise PveError("can't clone to non-shared storage")
    if target != source.node and not _all_shared(call, source):
        raise PveError(f"can't clone VM to node '{target}' (VM uses local storage)")


def _all_shared(call: Call, vm: Vm) -> bool:
    names = [disk["file"].partition(":")[0] for disk in vm.disks().values() if ":" in disk.get("file", "")]
    return all((storage := call.cluster.storages.get(name)) is not None and storage.shared for name in names)


async def _clone_in_task(call: Call, task: Task, source: Vm, newid: int, *, full: bool) -> None:
    site, cluster = call.site, call.cluster
    name = call.text("name") or None
    if newid in cluster.vms:
        raise PveError(f"unable to create VM {newid}: config file already exists")
    vm = cluster.vms[newid] = Vm(vmid=newid, node=source.node, lock="clone", pool=call.text("pool") or None)
    fresh = Vm(vmid=newid, node=source.node)
    _copy_config(site, source, fresh, full=full, storage=call.text("storage") or None, task=task)
    await _copy_time(site, name)
    if fault := site.faults.take("clone-fails-in-task", name):
        del cluster.vms[newid]
        why = fault.text("message", f"zfs error: cannot create 'tanka1/vm-{newid}-disk-0': out of space")
        raise PveError(f"clone failed: {why}")
    fresh.config["name"] = name or f"Copy-of-VM-{source.name}"
    if "description" in call.params:
        fresh.config["description"] = call.text("description")
    site.clone_disk(source.vmid, newid)
    vm.config, vm.node, vm.lock = fresh.config, call.text("target", source.node), None


async def _copy_time(site: Site, name: str | None) -> None:
    fault = site.faults.take("clone-slow", name)
    if fault:
        await asyncio.sleep(fault.number("seconds", 5.0))  # real seconds, whatever the site's time scale
    else:
        await site.sleep(site.timings.clone_s)


def _copy_config(site: Site, source: Vm, vm: Vm, *, full: bool, storage: str | None, task: Task | None = None) -> None:
    """Copy all but what `_NOT_COPIED` names; renew MAC addresses, smbios uuid and vmgenid; copy or link the drives."""
    if source.pending and task is not None:
        task.warn("some pending changes of the source are not cloned")
    vm.config = {}
    for key, value in sorted(source.config.items()):
        if _NOT_COPIED.fullmatch(key):
            continue
        text = str(value)
        if NET_KEY.match(key):
            vm.config[key] = _MAC.sub(new_mac(site.rng), text, count=1)
        elif key == "smbios1":
            vm.config[key] = re.sub(r"uuid=[^,]*", f"uuid={new_uuid(site.rng)}", text)
        elif key == "vmgenid":
            vm.config[key] = new_uuid(site.rng)
        elif DISK_KEY.match(key):
            vm.config[key] = _copy_drive(source, vm, key, full=full, storage=storage, task=task)
        else:
            vm.config[key] = value
    vm.config.setdefault("smbios1", f"uuid={new_uuid(site.rng)}")


def _copy_drive(source: Vm, vm: Vm, key: str, *, full: bool, storage: str | None, task: Task | None) -> str:
    properties = source.disks()[key]
    volume = properties["file"]
    if ":" not in volume:
        return str(source.config[key])
    home, _, name = volume.partition(":")
    log = task.log if task else lambda _text: None
    if "cloudinit" in name:
        log(f"create full clone of drive {key} ({volume})")
        return print_drive(f"{storage or home}:vm-{vm.vmid}-cloudinit", properties | {"size": "4M"})
    if properties.get("media") == "cdrom":
        return str(source.config[key])
    fresh = free_disk_name(vm)
    if full:
        log(f"create full clone of drive {key} ({volume})")
        log(f"transferred {properties.get('size', '0')} of {properties.get('size', '0')} (100.00%)")
        return print_drive(f"{storage or home}:{fresh}", properties)
    log(f"create linked clone of drive {key} ({volume})")
    return print_drive(f"{home}:{name.rpartition('/')[2]}/{fresh}", properties)
