"""Destroying a VM (proxmox.md a4; source: qemu-server 8.4 destroy_vm): until the task ends it is still listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import ha, volumes
from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.drives import UNUSED, is_cdrom, parse_drive
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.needs import root_parameters
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.vm import Vm


@route("DELETE", "/nodes/{node}/qemu/{vmid}")
async def destroy(call: Call) -> str:
    """Destroy in a task; a running, protected, replicated or HA-managed VM is refused at once, a locked one in the task."""
    root_parameters(call, "skiplock")
    _check(call)

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            _check(call)
            await _destroy(call, task, find_vm(call.cluster, call.text("node"), call.vmid))

    return launch(call, "qmdestroy", worker)


def _check(call: Call) -> None:
    vm = call.vm()
    if vm.config.get("protection") == 1:
        raise PveError(f"can't remove VM {vm.vmid} - protection mode enabled")
    if not call.flag("purge"):
        if ha.resource(call.cluster, vm.vmid) is not None:
            raise PveError(f"unable to remove VM {vm.vmid} - used in HA resources and purge parameter not set.")
        jobs = call.cluster.sections.get("replication", {})
        found = next((name for name, job in jobs.items() if job.get("guest") == vm.vmid), None)
        if found is not None:
            raise PveError(f"There is a replication job '{found}' for guest '{vm.vmid}' - Please remove that first.")
    if vm.running:
        raise PveError(f"VM {vm.vmid} is running - destroy failed")


def _named(vm: Vm) -> Iterator[tuple[str, str]]:
    """Key and volume of every disk that a configuration, a pending change or a saved memory of the VM names."""
    configs: list[Mapping[str, object]] = [vm.config, vm.pending, *(s.config for s in vm.snapshots.values())]
    for number, config in enumerate(configs):
        for key, value in config.items():
            disk = DISK_KEY.match(key) or UNUSED.fullmatch(key)
            if value is not None and (key == "vmstate" or (disk and number < 2)):
                drive = parse_drive(str(value))
                if not is_cdrom(drive, strict=True):
                    yield key, drive["file"]


async def _destroy(call: Call, task: Task, vm: Vm) -> None:
    cluster = call.cluster
    if vm.lock != "suspended":
        check_lock(vm)
    volumes.enter(cluster)
    if vm.template:
        _check_bases(cluster, vm)
    await call.site.sleep(call.site.timings.destroy_s)
    for _, volid in _named(vm):
        _free(cluster, vm, volid, task)
    if call.flag("destroy-unreferenced-disks", default=False):
        for volume in volumes.owned(cluster, vm.node, vm.vmid):
            _free(cluster, vm, volume.volid, task)
    vm.config, vm.pending, vm.snapshots, vm.lock = {}, {}, {}, "destroyed"
    call.site.cluster.rights.acl.pop(f"/vms/{vm.vmid}", None)
    if call.flag("purge"):
        task.log(f"purging VM {vm.vmid} from related configurations..")
        purge(cluster, vm.vmid, task)
    await call.site.destroy_guest(vm.vmid)
    cluster.volumes.known.discard(vm.vmid)
    del cluster.vms[vm.vmid]


def _check_bases(cluster: Cluster, vm: Vm) -> None:
    for _, volid in _named(vm):
        volume = volumes.find(cluster, vm.node, volid)
        if volume is not None and volume.base and volumes.children(cluster, volume):
            raise PveError(f"base volume '{volid}' is still in use by linked cloned")


def _free(cluster: Cluster, vm: Vm, volid: str, task: Task) -> None:
    volume = volumes.find(cluster, vm.node, volid)
    if volume is None or volume.vmid != vm.vmid:
        return
    try:
        volumes.free(cluster, volume)
    except PveError as error:
        task.log(f"Could not remove disk '{volid}', check manually: {error.message}")


def purge(cluster: Cluster, vmid: int, task: Task) -> None:
    """Take a VM out of every job that names it (F34): replication, backup, HA."""
    replication = cluster.sections.get("replication", {})
    for name in [name for name, job in replication.items() if job.get("guest") == vmid]:
        del replication[name]
    for job in cluster.sections.get("jobs", {}).values():
        for key in ("vmid", "exclude"):
            if key in job:
                rest = [item for item in split_list(str(job[key])) if item != str(vmid)]
                job[key] = ",".join(rest)
    jobs = cluster.sections.get("jobs", {})
    for name in [name for name, job in jobs.items() if job.get("vmid") == ""]:
        del jobs[name]
    if cluster.sections.get(ha.RESOURCES, {}).pop(f"vm:{vmid}", None) is not None:
        task.log(f"NOTE: removed VM {vmid} from HA resource configuration.")
