"""vzdump: backing VMs up (proxmox.md a7; source: pve-manager 8.4 VZDump.pm, API2/VZDump.pm). An archive is its configuration and a size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import ha, volumes
from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.disks import check_volume
from pvenix_lab.site.pve.errors import ParameterError, PermissionDeniedError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.power import power_off, power_on
from pvenix_lab.site.pve.prune import marks
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties
from pvenix_lab.site.pve.volumes import Volume

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Storage
    from pvenix_lab.site.pve.vm import Vm

_VZDUMP = "/nodes/{node}/vzdump"
_COMPRESSED = {"zstd": ".zst", "gzip": ".gz", "1": ".gz", "lzo": ".lzo"}
_ROOT_ONLY = ("tmpdir", "dumpdir", "script", "job-id")
_TUNING = ("bwlimit", "performance", "ionice")


@route("POST", _VZDUMP)
async def backup(call: Call) -> str:
    """Back the node's VMs up in a task; `OK` and no task if none of the wanted ones is here."""
    _check(call)
    wanted = _wanted(call)
    if not wanted and not call.flag("all"):
        return "OK"
    storage = call.text("storage", "local")
    if "dumpdir" not in call.params:
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")

    async def worker(task: Task) -> None:
        await _run(call, task, wanted, storage)

    return launch(call, "vzdump", worker, identity=str(wanted[0]) if len(wanted) == 1 else "")


def _check(call: Call) -> None:
    if call.params.get("stdout"):
        raise ParameterError({"stdout": "option is only allowed on the command line interface."})
    if not call.caller.is_root:
        for name in _ROOT_ONLY:
            if name in call.params:
                raise ParameterError({name: "Only root may set this option."})
    for name in _TUNING:
        if name in call.params:
            call.require("/", "Sys.Modify")
    chosen = [name for name in ("vmid", "all", "pool", "stop") if call.params.get(name)]
    if not chosen:
        raise ParameterError({"vmid": "property is missing and it is not optional"})
    for other in ("all", "pool"):
        if other in chosen and "vmid" in chosen:
            raise ParameterError({other: "option conflicts with option 'vmid'"})
    if "exclude" in call.params and not call.flag("all"):
        raise ParameterError({"exclude": "option 'exclude' needs option 'all'"})
    if call.flag("stop"):
        call.require(f"/nodes/{call.text('node')}", "Sys.Modify")


def _wanted(call: Call) -> list[int]:
    """The VMs to back up; ids that no VM has stay in, so that the task fails visibly."""
    cluster, node = call.cluster, call.text("node")
    if "vmid" in call.params:
        named = [int(text) for text in split_list(call.text("vmid"))]
        return [vmid for vmid in named if vmid not in cluster.vms or cluster.vms[vmid].node == node]
    excluded = {int(text) for text in split_list(call.text("exclude"))}
    pool = call.text("pool")
    return [
        vm.vmid for vm in cluster.vms.values()
        if vm.node == node and vm.vmid not in excluded and (not pool or vm.pool == pool)
    ]  # fmt: skip


async def _run(call: Call, task: Task, wanted: list[int], name: str) -> None:
    storage = volumes.storage_named(call.cluster, name, call.text("node"))
    if "backup" not in storage.content:
        text = f"can't use storage '{name}' for backups - wrong content type"
        raise PveError(f"could not get storage information for '{name}': {text}")
    task.log(f"INFO: starting new backup job: vzdump {' '.join(map(str, wanted))} --storage {name}")
    failed = 0
    for vmid in wanted:
        try:
            await _one(call, task, vmid, storage)
        except (PveError, PermissionDeniedError) as error:
            failed += 1
            task.log(f"ERROR: Backup of VM {vmid} failed - {error.message}")
    task.log(f"INFO: Backup job finished {'with errors' if failed else 'successfully'}")
    if failed:
        raise PveError("job errors")


async def _one(call: Call, task: Task, vmid: int, storage: Storage) -> None:
    vm = call.cluster.vms.get(vmid)
    if vm is None:
        raise PveError(f"unable to find VM '{vmid}'")
    call.require(f"/vms/{vmid}", "VM.Backup")
    mode = call.text("mode", "snapshot")
    if mode == "stop" and ha.managed(call.cluster, vmid):
        raise PveError("Cannot execute a backup with stop mode on a HA managed and enabled Service. Use snapshot mode.")
    task.log(f"INFO: Starting Backup of VM {vmid} (qemu)")
    task.log(f"INFO: status = {vm.status}\nINFO: VM Name: {vm.name}")
    check_lock(vm)
    vm.lock = "backup"
    running = vm.running
    try:
        if running and mode == "stop":
            task.log("INFO: stopping virtual guest")
            await power_off(call.site, vm, graceful=True)
        elif running and vm.agent_enabled:
            task.log("INFO: issuing guest-agent 'fs-freeze' command\nINFO: issuing guest-agent 'fs-thaw' command")
        archive = _archive(call, vm, storage)
        task.log(f"INFO: creating vzdump archive '{archive.volid}'")
        await call.site.sleep(call.site.timings.clone_s)
        _store(call, task, storage, archive)
        if running and mode == "stop":
            await power_on(call, vm)
    finally:
        vm.lock = None
    task.log(f"INFO: archive file size: {archive.size >> 20}MB\nINFO: Finished Backup of VM {vmid} (00:00:01)")


def _archive(call: Call, vm: Vm, storage: Storage) -> Volume:
    now = int(call.site.wall())
    stamp = time.strftime("%Y_%m_%d-%H_%M_%S", time.gmtime(now))
    extension = _COMPRESSED.get(call.text("compress", "0"), "")
    owned = volumes.owned(call.cluster, vm.node, vm.vmid)
    return Volume(
        storage=storage.name,
        name=f"backup/vzdump-qemu-{vm.vmid}-{stamp}.vma{extension}",
        size=sum(volume.used for volume in owned),
        content="backup",
        vmid=vm.vmid,
        node=volumes.place(storage, vm.node),
        ctime=now,
        notes=_notes(call, vm),
        protected=call.flag("protected"),
        backup_config=dict(vm.config),
    )


def _notes(call: Call, vm: Vm) -> str | None:
    template = call.text("notes-template")
    values = {"cluster": call.cluster.name, "guestname": vm.name, "node": vm.node, "vmid": str(vm.vmid)}
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", value)
    return template.replace("\\n", "\n") or None


def _store(call: Call, task: Task, storage: Storage, archive: Volume) -> None:
    cluster = call.cluster
    node = call.text("node")
    if archive.size > volumes.room(cluster, storage, node)["avail"]:
        raise PveError("vma_queue_write: write error - Broken pipe")
    cluster.volumes.entries[archive.node, archive.volid] = archive
    keep = parse_properties(call.text("prune-backups", str(storage.settings.get("prune-backups", ""))))
    if not keep or not call.flag("remove", default=True):
        return
    group = [v for v in volumes.on_storage(cluster, storage, node) if v.content == "backup" and v.vmid == archive.vmid]
    for volume in group:
        if marks(group, keep)[volume.volid] == "remove":
            task.log(f"INFO: removing backup '{volume.volid}'")
            volumes.free(cluster, volume)


@route("GET", _VZDUMP + "/defaults")
async def defaults(call: Call) -> dict[str, Any]:
    """What a backup does that says nothing."""
    storage = call.text("storage", "local")
    call.require(f"/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True)
    result: dict[str, Any] = {"storage": storage, "mode": "snapshot", "compress": "0", "remove": 1}
    return result | {"mailnotification": "always", "notification-mode": "auto", "ionice": 7, "lockwait": 180}


@route("GET", _VZDUMP + "/extractconfig")
async def extract_config(call: Call) -> str:
    """The configuration in a backup, as its file has it."""
    volid = call.text("volume")
    check_volume(call, None, volid)
    archive = volumes.existing(call.cluster, call.text("node"), volid)
    if archive.backup_config is None:
        raise PveError("ERROR: archive contains no configuration file")
    return "".join(f"{key}: {value}\n" for key, value in sorted(archive.backup_config.items()))
