"""Snapshots: the configuration, and the guest's disk as a copied tree (proxmox.md a7). Memory is never saved."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.power import power_off, power_on
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import Snapshot

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import Vm

_LIST = "/nodes/{node}/qemu/{vmid}/snapshot"
_ONE = _LIST + "/{snapname}"


@route("GET", _LIST)
async def snapshots(call: Call) -> list[dict[str, Any]]:
    """Every snapshot, and `current`, which is the present state."""
    vm = call.vm()
    items = [_shown(snapshot) for snapshot in vm.snapshots.values()]
    now: dict[str, Any] = {"name": "current", "description": "You are here!", "digest": vm.digest()}
    now["running"] = 1 if vm.running else 0
    if vm.current_parent:
        now["parent"] = vm.current_parent
    return [*items, now]


def _shown(snapshot: Snapshot) -> dict[str, Any]:
    result: dict[str, Any] = {"name": snapshot.name, "snaptime": snapshot.taken_at, "vmstate": 0}
    result["description"] = snapshot.description
    if snapshot.parent:
        result["parent"] = snapshot.parent
    return result


@route("GET", _ONE)
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a snapshot."""
    return [{"cmd": "rollback"}, {"cmd": "config"}]


@route("GET", _ONE + "/config")
async def config(call: Call) -> dict[str, Any]:
    """The configuration as it was."""
    snapshot = _named(call.vm(), call.text("snapname"))
    return {**snapshot.config, "snaptime": snapshot.taken_at, "description": snapshot.description}


@route("POST", _LIST)
async def take(call: Call) -> str:
    """Take a snapshot in a task."""
    name = call.text("snapname")
    if name == "current":
        raise ParameterError({"snapname": "reserved name"})

    async def worker(task: Task) -> None:
        vm = _unlocked(call)
        if name in vm.snapshots:
            raise PveError(f"snapshot name '{name}' already used")
        vm.lock = "snapshot"
        await call.site.sleep(call.site.timings.snapshot_s)
        for key, disk in vm.disks().items():
            if disk.get("media") != "cdrom":
                task.log(f"snapshotting 'drive-{key}' ({disk['file']})")
        call.site.save_disk(vm.vmid, name)
        vm.snapshots[name] = Snapshot(
            name=name,
            description=call.text("description"),
            taken_at=int(call.site.wall()),
            parent=vm.current_parent,
            config=dict(vm.config),
        )
        vm.current_parent, vm.lock = name, None

    return launch(call, "qmsnapshot", worker)


@route("POST", _ONE + "/rollback")
async def rollback(call: Call) -> str:
    """Go back in a task; the VM is stopped afterwards unless `start` is set."""

    async def worker(_task: Task) -> None:
        vm = _unlocked(call)
        snapshot = _named(vm, call.text("snapname"))
        vm.lock = "rollback"
        await power_off(call.site, vm, graceful=False)
        await call.site.sleep(call.site.timings.snapshot_s)
        call.site.restore_disk(vm.vmid, snapshot.name)
        vm.config, vm.pending = dict(snapshot.config), {}
        vm.current_parent, vm.lock = snapshot.name, None
        if call.flag("start"):
            await power_on(call.site, vm)

    return launch(call, "qmrollback", worker)


@route("DELETE", _ONE)
async def delete(call: Call) -> str:
    """Delete a snapshot in a task; its children hang from its parent."""

    async def worker(_task: Task) -> None:
        vm = _unlocked(call)
        snapshot = _named(vm, call.text("snapname"))
        await call.site.sleep(call.site.timings.snapshot_s)
        for other in vm.snapshots.values():
            if other.parent == snapshot.name:
                other.parent = snapshot.parent
        if vm.current_parent == snapshot.name:
            vm.current_parent = snapshot.parent
        del vm.snapshots[snapshot.name]
        tree = call.site.snapshot_root(vm.vmid, snapshot.name)
        if tree.exists():
            shutil.rmtree(tree)

    return launch(call, "qmdelsnapshot", worker)


def _unlocked(call: Call) -> Vm:
    vm = find_vm(call.cluster, call.text("node"), call.vmid)
    check_lock(vm)
    return vm


def _named(vm: Vm, name: str) -> Snapshot:
    if name not in vm.snapshots:
        raise PveError(f"snapshot '{name}' does not exist")
    return vm.snapshots[name]
