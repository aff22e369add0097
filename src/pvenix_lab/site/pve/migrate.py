"""Moving a VM to another node (F24 to F26; source: qemu-server 8.4 migrate_vm, QemuMigrate.pm)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import ha, volumes
from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.drives import UNUSED, is_cdrom, parse_drive, print_drive
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.needs import need_quorum, need_vm, root_parameters
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY, parse_properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.vm import Vm
    from pvenix_lab.site.pve.volumes import Volume

_MIGRATE = "/nodes/{node}/qemu/{vmid}/migrate"
_IDENTITY = "1"


def _drives(vm: Vm) -> Iterator[tuple[str, dict[str, str]]]:
    """The drives of the configuration and of the pending changes; a volume is in one of them only."""
    for key, value in (*sorted(vm.config.items()), *sorted(vm.pending.items())):
        if value is not None and (DISK_KEY.match(key) or UNUSED.fullmatch(key)):
            drive = parse_drive(value)
            if ":" in drive["file"]:
                yield key, drive


def _local(cluster: Cluster, vm: Vm) -> list[tuple[str, dict[str, str], Volume | None]]:
    return [
        (key, drive, volumes.find(cluster, vm.node, drive["file"]))
        for key, drive in _drives(vm)
        if (storage := cluster.storages.get(drive["file"].partition(":")[0])) is None or not storage.shared
    ]


def local_disks(call: Call, vm: Vm) -> list[dict[str, Any]]:
    """The volumes on storages of one node only, CD-ROMs and unused ones among them."""
    result: list[dict[str, Any]] = []
    for key, drive, volume in _local(call.cluster, vm):
        item: dict[str, Any] = {"volid": drive["file"], "drivename": key, "cdrom": 1 if is_cdrom(drive) else 0}
        item["is_unused"] = 1 if UNUSED.fullmatch(key) else 0
        result.append(item | ({"size": volume.size} if volume else {}))
    return result


def mapped(vm: Vm) -> dict[str, str]:
    """The mapped devices of a VM by configuration key."""
    found = {
        k: parse_properties(str(v), "host").get("mapping")
        for k, v in vm.config.items()
        if k.startswith(("hostpci", "usb"))
    }
    return {key: name for key, name in sorted(found.items()) if name}


def _unmapped(vm: Vm) -> list[str]:
    local = [key for key in vm.config if key.startswith(("hostpci", "usb", "parallel"))]
    local += [key for key, value in vm.config.items() if key.startswith("serial") and value != "socket"]
    return sorted(key for key in local if key not in mapped(vm))


def _missing_mappings(cluster: Cluster, vm: Vm, node: str) -> list[str]:
    result = []
    for key, name in mapped(vm).items():
        if key.startswith("hostpci"):
            there = name in cluster.mappings and node in cluster.mappings[name].paths
        else:
            lines = cluster.sections.get("mapping/usb", {}).get(name, {}).get("map", [])
            there = any(f"node={node}" in line.split(",") for line in lines)
        if not there:
            result.append(key)
    return result


def _not_allowed(cluster: Cluster, vm: Vm, node: str) -> dict[str, Any]:
    homes = {drive["file"].partition(":")[0] for _, drive in _drives(vm)}
    missing = sorted(name for name in homes if name in cluster.storages and node not in cluster.storages[name].nodes)
    why: dict[str, Any] = {"unavailable_storages": missing} if missing else {}
    devices = _missing_mappings(cluster, vm, node)
    return why | ({"unavailable-resources": devices} if devices else {})


@route("GET", _MIGRATE)
async def precheck(call: Call) -> dict[str, Any]:
    """Where the VM could go and what keeps it."""
    need_quorum(call)
    vm = call.vm()
    check_lock(vm)
    others = {node: _not_allowed(call.cluster, vm, node) for node in call.cluster.nodes if node != vm.node}
    devices = mapped(vm)
    return {
        "running": 1 if vm.running else 0,
        "allowed_nodes": [node for node, why in others.items() if not why],
        "not_allowed_nodes": {node: why for node, why in others.items() if why},
        "local_disks": local_disks(call, vm),
        "local_resources": _unmapped(vm),
        "mapped-resources": sorted(devices.values()),
        "mapped-resource-info": {key: {"name": name} for key, name in devices.items()},
    }


@route("POST", _MIGRATE)
async def migrate(call: Call) -> str:
    """Migrate in a task; target, running state and storages are checked in the call, devices and local disks in the task."""
    return begin(call, call.text("target"))


def begin(call: Call, target: str) -> str:
    """Start a migration and return its UPID; an HA resource is left to the HA manager. Raises as the call does."""
    if target == call.text("node"):
        raise ParameterError({"target": "target is local node."})
    need_quorum(call)
    if target not in call.cluster.nodes:
        raise PveError(f"no such cluster node '{target}'")
    root_parameters(call, "force", "migration_type", "migration_network")
    vm = call.vm()
    check_lock(vm)
    if vm.running and not call.flag("online"):
        raise PveError("can't migrate running VM without --online")
    _check_replication(call, vm, target)
    _check_storages(call, vm, target)
    if ha.managed(call.cluster, vm.vmid):
        return launch(call, "hamigrate", ha.mover(call, target))

    async def worker(task: Task) -> None:
        await move(call, task, target)

    return launch(call, "qmigrate", worker)


def _check_replication(call: Call, vm: Vm, target: str) -> None:
    jobs = [job for job in call.cluster.sections.get("replication", {}).values() if job.get("guest") == vm.vmid]
    if vm.running and jobs and target not in {job.get("target") for job in jobs} and not call.flag("force"):
        text = f"Cannot live-migrate replicated VM to node '{target}' - not a replication target."
        raise PveError(f"{text} Use 'force' to override.")


def _storage_map(call: Call) -> dict[str, str]:
    """From which storage to which; `""` is where everything else goes, `1` means "to the same"."""
    result: dict[str, str] = {}
    for item in split_list(call.text("targetstorage")):
        source, found, target = item.partition(":")
        result[source if found else ""] = target if found else source
    return result


def _check_storages(call: Call, vm: Vm, target: str) -> None:
    mapping = _storage_map(call)
    if mapping and mapping.get("") != _IDENTITY:
        need_vm(call, vm.vmid, "VM.Config.Disk")
    for name in {name for name in mapping.values() if name != _IDENTITY}:
        storage = volumes.storage_named(call.cluster, name, target)
        call.require(f"/storage/{name}", "Datastore.AllocateSpace")
        if "images" not in storage.content:
            raise PveError(f"storage '{name}' does not support vm images")
    if not mapping or mapping.get("") == _IDENTITY:
        for _, drive in _drives(vm):
            volumes.storage_named(call.cluster, drive["file"].partition(":")[0], target)


async def move(call: Call, task: Task, target: str) -> None:
    """The migration itself, the VM's lock file held. Raises PveError for devices and local disks that cannot move."""
    async with held(call.cluster, call.text("node"), call.vmid):
        await _move(call, task, target)


async def _move(call: Call, task: Task, target: str) -> None:
    cluster, source = call.cluster, call.text("node")
    vm = find_vm(cluster, source, call.vmid)
    check_lock(vm)
    _check_devices(call, vm, target)
    local = _local(cluster, vm)
    if vm.running and local and not call.flag("with-local-disks") and not all(is_cdrom(drive) for _, drive, _ in local):
        for _, drive, _ in local:
            task.log(f"can't live migrate attached local disks without with-local-disks option: '{drive['file']}'")
        raise PveError(
            "migration aborted (duration 00:00:00): Problem found while scanning volumes - can't migrate VM - check log"
        )
    task.log(f"starting migration of VM {vm.vmid} to node '{target}' ({cluster.nodes[target].ip})")
    vm.lock = "migrate"
    copies: list[tuple[str, dict[str, str], Volume, Volume]] = []
    try:
        for _, _, volume in local:
            if volume is not None:
                _check_volume(cluster, vm, volume)
        for key, drive, volume in local:
            if volume is not None:
                copies.append((key, drive, volume, _copy(call, task, vm, volume, target)))
    except PveError as error:
        for *_, new in copies:
            volumes.free(cluster, new)
        vm.lock = None
        raise PveError(f"migration aborted (duration 00:00:00): {error.message}") from None
    for key, drive, volume, new in copies:
        volumes.free(cluster, volume)
        entry = new.volid if UNUSED.fullmatch(key) else print_drive(new.volid, drive)
        if parse_drive(str(vm.config.get(key, "none")))["file"] == volume.volid:
            vm.config[key] = entry
        else:
            vm.pending[key] = entry
    _move_states(cluster, vm, target)
    await call.site.sleep(call.site.timings.migrate_s * (1 + len(local)))
    vm.node, vm.lock = target, None
    task.log("migration finished successfully (duration 00:00:01)")


def _move_states(cluster: Cluster, vm: Vm, target: str) -> None:
    """Take the saved memories of snapshots along."""
    for snapshot in vm.snapshots.values():
        state = volumes.find(cluster, vm.node, str(snapshot.config.get("vmstate", "")))
        if state is not None and state.node:
            volumes.rename(cluster, state, state.name, node=target)


def _check_devices(call: Call, vm: Vm, target: str) -> None:
    if not cluster_online(call.cluster, target):
        raise PveError("Can't connect to destination address using public key")
    if local := _unmapped(vm):
        raise PveError(f"can't migrate VM which uses local devices: {', '.join(local)}")
    if missing := _missing_mappings(call.cluster, vm, target):
        raise PveError(f"can't migrate to '{target}': missing mapped devices {', '.join(missing)}")
    if vm.running and (devices := mapped(vm)):
        raise PveError(f"can't live migrate running VM which uses following mapped devices: {', '.join(devices)}")


def cluster_online(cluster: Cluster, node: str) -> bool:
    """True if the node is there."""
    return cluster.nodes[node].online


def _check_volume(cluster: Cluster, vm: Vm, volume: Volume) -> None:
    """Raise PveError for what no migration takes along: an ISO, a base with clones, a clone, a snapshot of a running VM's disk."""
    if volume.content != "images":
        raise PveError(f"can't migrate local disk '{volume.volid}': local cdrom image")
    if volume.base and volumes.children(cluster, volume):
        raise PveError(f"can't migrate local disk '{volume.volid}': referenced by linked clone(s)")
    if volume.parent:
        raise PveError(f"can't migrate '{volume.volid}' as it's a clone of '{volume.parent}'")
    if volume.snapshots and vm.running:
        text = "online storage migration not possible if non-replicated snapshot exists"
        raise PveError(f"can't migrate local disk '{volume.volid}': {text}")


def _copy(call: Call, task: Task, vm: Vm, volume: Volume, target: str) -> Volume:
    """The volume on the target's storage. Raises PveError if that is full, or a snapshot does not fit there."""
    cluster, mapping = call.cluster, _storage_map(call)
    name = mapping.get(volume.storage, mapping.get("", volume.storage))
    storage = volumes.storage_named(cluster, volume.storage if name == _IDENTITY else name, target)
    keep = volume.name if storage.type == cluster.storages[volume.storage].type else None
    if volumes.find(cluster, target, f"{storage.name}:{keep}") is not None:
        keep = None
    if volume.snapshots and (keep is None or storage.name != volume.storage):
        raise PveError(f"can't migrate local disk '{volume.volid}': non-migratable snapshot exists")
    fmt = volume.format if storage.type in volumes.FILE_TYPES else None
    now = int(call.site.wall())
    new = volumes.allocate(cluster, storage, target, vm.vmid, volume.size, fmt=fmt, name=keep, now=now)
    new.snapshots = list(volume.snapshots)
    task.log(f"found local disk '{volume.volid}' (attached)")
    task.log(f"volume '{volume.volid}' is '{new.volid}' on the target")
    return new
