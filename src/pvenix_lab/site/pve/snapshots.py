"""Snapshots: the configuration, the volumes, and the guest's disk as a copied tree (proxmox.md a7; source: AbstractConfig.pm of 8.4).

A saved memory is a volume and nothing else: the site's guests boot anew from it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import AgentError
from pvenix_lab.site.pve import agent_answers, volumes
from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.config import shown
from pvenix_lab.site.pve.drives import is_cdrom, register_unused
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.features import has_feature
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.needs import need_quorum
from pvenix_lab.site.pve.power import power_off, power_on
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY, Snapshot, new_uuid, parse_properties
from pvenix_lab.site.pve.vmstate import RUNNING_MACHINE, save_state, state_volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pvenix_lab.site.pve.vm import Vm
    from pvenix_lab.site.pve.volumes import Volume

_LIST = "/nodes/{node}/qemu/{vmid}/snapshot"
_ONE = _LIST + "/{snapname}"
_KEPT = frozenset({"runningmachine", "runningcpu", "vmstate"})
"""What a snapshot has beside the configuration."""
_STAYS = "description"
"""The one option that a snapshot does not take and a rollback does not touch, beside the unused disks."""
_LOOK_S = 0.5
_ZFS = frozenset({"zfs", "zfspool"})
_BLOCKERS = ("amd-sev", "virtiofs")


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
    memory = 1 if "vmstate" in snapshot.config else 0
    result: dict[str, Any] = {"name": snapshot.name, "snaptime": snapshot.taken_at, "vmstate": memory}
    result["description"] = snapshot.description
    if snapshot.parent:
        result["parent"] = snapshot.parent
    if snapshot.state:
        result["snapstate"] = snapshot.state
    return result


@route("GET", _ONE)
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a snapshot."""
    return [{"cmd": "rollback"}, {"cmd": "config"}]


@route("GET", _ONE + "/config")
async def config(call: Call) -> dict[str, Any]:
    """The configuration as it was."""
    snapshot = _named(call.vm(), call.text("snapname"))
    result = {**shown(snapshot.config), "snaptime": snapshot.taken_at, "description": snapshot.description}
    return result | ({"parent": snapshot.parent} if snapshot.parent else {})


@route("PUT", _ONE + "/config")
async def describe(call: Call) -> None:
    """Change a snapshot's description."""
    async with held(call.cluster, call.text("node"), call.vmid):
        vm = call.vm()
        check_lock(vm)
        snapshot = _named(vm, call.text("snapname"))
        if "description" in call.params:
            snapshot.description = call.text("description")


@route("POST", _LIST)
async def take(call: Call) -> str:
    """Take a snapshot in a task."""
    name = call.text("snapname")
    if name == "current" or name.lower() == "pending":
        raise PveError(f"unable to use snapshot name '{name.lower()}' (reserved name)")
    need_quorum(call)
    vm = call.cluster.vms.get(call.vmid)
    blockers = [key for key in _BLOCKERS if vm is not None and any(k.startswith(key) for k in vm.config)]
    if call.flag("vmstate") and blockers:
        raise PveError(f"Cannot live-migrate, snapshot (with RAM), or hibernate a VM with: {', '.join(blockers)}")

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _unlocked(call)
            snapshot = _prepare(call, vm, name)
        frozen = await _freeze(call, vm, memory="vmstate" in snapshot.config)
        while frozen and vm.frozen and call.site.faults.peek("freeze-hangs", vm.name):
            await call.site.sleep(_LOOK_S)
        await call.site.sleep(call.site.timings.snapshot_s)
        for key, volume in _disks(call, vm, snapshot.config):
            task.log(f"snapshotting 'drive-{key}' ({volume.volid})")
            volume.snapshots.append(name)
        if frozen:
            await _thaw(call, vm)
        call.site.save_disk(vm.vmid, name)
        snapshot.state = None
        vm.current_parent, vm.lock = name, None

    return launch(call, "qmsnapshot", worker)


def _prepare(call: Call, vm: Vm, name: str) -> Snapshot:
    """Lock the VM and enter the snapshot as unfinished, which is what a killed task leaves behind (measured on 8.4.5)."""
    if vm.template:
        raise PveError("you can't take a snapshot if it's a template")
    if name in vm.snapshots:
        raise PveError(f"snapshot name '{name}' already used")
    for _, volume in _disks(call, vm, vm.config):
        if not has_feature(call.cluster.storages[volume.storage], volume, "snapshot"):
            raise PveError("snapshot feature is not available")
    kept = {k: v for k, v in vm.config.items() if k not in _KEPT and k != _STAYS and not k.startswith("unused")}
    if call.flag("vmstate") and vm.running:
        kept["vmstate"] = save_state(call, vm, snapshot=name)
        kept["runningmachine"] = RUNNING_MACHINE
    vm.lock = "snapshot"
    snapshot = vm.snapshots[name] = Snapshot(
        name=name,
        description=call.text("description"),
        taken_at=int(call.site.wall()),
        parent=vm.current_parent,
        config=kept,
        running=vm.running,
        state="prepare",
    )
    return snapshot


async def _freeze(call: Call, vm: Vm, *, memory: bool) -> bool:
    """True if the guest's file systems were frozen: it runs, its memory is not saved, and its agent answers and may freeze.

    Up to release 8 no option keeps a snapshot from it (source: QemuConfig.pm, __snapshot_check_freeze_needed).
    """
    options = parse_properties(str(vm.config.get("agent", "0")), "enabled")
    switch = options.get("guest-fsfreeze", options.get("freeze-fs", "1"))
    wanted = call.flavour is Flavour.PVE_8_4 or switch == "1"
    if memory or not vm.running or vm.paused or not vm.agent_enabled or not wanted:
        return False
    guest = call.site.guest_for(vm)
    if call.site.faults.peek("agent-absent", vm.name) or not guest.agent_ready():
        return False
    try:
        agent_answers.answer(call.site, vm, guest, "fsfreeze-freeze", {})
    except AgentError:
        return False
    vm.frozen = True
    return True


async def _thaw(call: Call, vm: Vm) -> None:
    try:
        agent_answers.answer(call.site, vm, call.site.guest_for(vm), "fsfreeze-thaw", {})
    except AgentError:
        return
    vm.frozen = False


def _disks(call: Call, vm: Vm, config: Mapping[str, object]) -> Iterator[tuple[str, Volume]]:
    """The disks of a configuration, without CD-ROMs; raises PveError for a volume that is gone."""
    for key, value in sorted(config.items()):
        drive = parse_properties(str(value), "file") if DISK_KEY.match(key) else {}
        if ":" in drive.get("file", "") and not is_cdrom(drive):
            yield key, volumes.existing(call.cluster, vm.node, drive["file"])


@route("POST", _ONE + "/rollback")
async def rollback(call: Call) -> str:
    """Go back in a task; without a saved memory the VM is stopped afterwards unless `start` is set."""

    async def worker(_task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = find_vm(call.cluster, call.text("node"), call.vmid)
            snapshot = _check_rollback(call, vm)
            await power_off(call.site, vm, graceful=False)
            vm.lock = "rollback"
        await call.site.sleep(call.site.timings.snapshot_s)
        call.site.restore_disk(vm.vmid, snapshot.name)
        memory = _apply(call, vm, snapshot)
        if memory or call.flag("start"):
            await power_on(call, vm)

    return launch(call, "qmrollback", worker)


def _check_rollback(call: Call, vm: Vm) -> Snapshot:
    if vm.template:
        raise PveError("you can't rollback if vm is a template")
    snapshot = _named(vm, call.text("snapname"))
    for _, volume in _disks(call, vm, snapshot.config):
        if volume.snapshots and snapshot.name not in volume.snapshots:
            raise PveError(f"can't rollback, snapshot '{snapshot.name}' does not exist on '{volume.volid}'")
        last = volume.snapshots[-1:] == [snapshot.name]
        if call.cluster.storages[volume.storage].type in _ZFS and volume.snapshots and not last:
            raise PveError(f"can't rollback, '{snapshot.name}' is not most recent snapshot on '{volume.volid}'")
    if "vmstate" in snapshot.config:
        state_volume(call.cluster, vm, str(snapshot.config["vmstate"]))
    if snapshot.state:
        raise PveError(f"unable to rollback to incomplete snapshot (snapstate = {snapshot.state})")
    check_lock(vm)
    return snapshot


def _apply(call: Call, vm: Vm, snapshot: Snapshot) -> bool:
    """Make the snapshot's configuration the present one; disks that it does not name become unused. True if it has a memory.

    The notes of the VM stay as they are. Pending changes are lost, with the volumes of new disks among them.
    """
    before = [disk for disk in vm.disks().values() if ":" in disk.get("file", "")]
    stays = {key: value for key, value in vm.config.items() if key.startswith("unused") or key == _STAYS}
    vm.config = {key: value for key, value in snapshot.config.items() if key not in _KEPT} | stays
    vm.pending, vm.forced = {}, set()
    now = {disk["file"] for disk in vm.disks().values()}
    for disk in before:
        if disk["file"] not in now:
            register_unused(call.cluster, vm, disk)
    if "vmgenid" in vm.config:
        vm.config["vmgenid"] = new_uuid(call.site.rng)
    vm.current_parent, vm.lock = snapshot.name, None
    return "vmstate" in snapshot.config


@route("DELETE", _ONE)
async def delete(call: Call) -> str:
    """Delete a snapshot in a task; its children hang from its parent."""

    async def worker(_task: Task) -> None:
        vm = find_vm(call.cluster, call.text("node"), call.vmid)
        name, force = call.text("snapname"), call.flag("force")
        snapshot = _named(vm, name)
        async with held(call.cluster, call.text("node"), call.vmid):
            if not force or vm.lock not in {"snapshot", "snapshot-delete"}:
                check_lock(vm)
            if vm.template:
                raise PveError("you can't delete a snapshot if vm is a template")
            vm.lock, snapshot.state = "snapshot-delete", "delete"
        await call.site.sleep(call.site.timings.snapshot_s)
        _remove(call, vm, snapshot, force=force)
        vm.lock = None

    return launch(call, "qmdelsnapshot", worker)


def _remove(call: Call, vm: Vm, snapshot: Snapshot, *, force: bool) -> None:
    """Take a snapshot off the volumes and out of the chain. Raises PveError for a volume that is gone, unless `force`."""
    try:
        for _, volume in _disks(call, vm, snapshot.config):
            if snapshot.name in volume.snapshots:
                volume.snapshots.remove(snapshot.name)
    except PveError:
        if not force:
            raise
    memory = snapshot.config.pop("vmstate", None)
    state = volumes.find(call.cluster, vm.node, str(memory)) if memory else None
    if state is not None:
        volumes.free(call.cluster, state)
    for other in vm.snapshots.values():
        if other.parent == snapshot.name:
            other.parent = snapshot.parent
    if vm.current_parent == snapshot.name:
        vm.current_parent = snapshot.parent
    vm.snapshots.pop(snapshot.name, None)
    tree = call.site.snapshot_root(vm.vmid, snapshot.name)
    if tree.exists():
        shutil.rmtree(tree)


def _unlocked(call: Call) -> Vm:
    vm = find_vm(call.cluster, call.text("node"), call.vmid)
    check_lock(vm)
    return vm


def _named(vm: Vm, name: str) -> Snapshot:
    if name not in vm.snapshots:
        raise PveError(f"snapshot '{name}' does not exist")
    return vm.snapshots[name]
