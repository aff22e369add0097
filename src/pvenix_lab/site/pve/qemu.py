"""The VM itself: list, status, resize, destroy (proxmox.md a4, a7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.options import print_drive, print_gib, size_gib
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.vm import Vm

_QEMU = "/nodes/{node}/qemu"
_VM = _QEMU + "/{vmid}"
_MIB = 1024**2
_RUNNING_QEMU = "9.2.0"
_MEMORY_IN_USE = 0.4
"""Share of its memory that a running VM shows as used: a constant, nothing here measures."""


_IDLE_DISK: dict[str, Any] = {
    **{
        f"{kind}_{name}": 0
        for kind in ("rd", "wr", "unmap")
        for name in ("bytes", "merged", "operations", "total_time_ns")
    },
    **{f"{how}_{kind}_operations": 0 for how in ("failed", "invalid") for kind in ("flush", "rd", "unmap", "wr")},
    "flush_operations": 0,
    "flush_total_time_ns": 0,
    "wr_highest_offset": 0,
    "account_failed": True,
    "account_invalid": True,
    "timed_stats": [],
}
"""Counters of a drive that has done nothing; these booleans are real ones (recorded on 8.4.5)."""


def memory_bytes(vm: Vm) -> int:
    """Configured memory; the option counts MiB."""
    return int(parse_properties(str(vm.config.get("memory", "512")), "current")["current"]) * _MIB


def boot_disk_bytes(vm: Vm) -> int:
    """Size of the disk that the boot order names first, 0 without one."""
    order = parse_properties(str(vm.config.get("boot", ""))).get("order", "scsi0").split(";")
    disks = vm.disks()
    sizes = [size_gib(disks[key].get("size", "")) for key in order if key in disks]
    return int(sizes[0] * 1024**3) if sizes else 0


def statistics(site: Site, vm: Vm) -> dict[str, Any]:
    """The fields that every listing of a VM has."""
    result: dict[str, Any] = {
        "vmid": vm.vmid,
        "name": vm.name,
        "status": vm.status,
        "maxmem": memory_bytes(vm),
        "maxdisk": boot_disk_bytes(vm),
        "mem": int(memory_bytes(vm) * _MEMORY_IN_USE) if vm.running else 0,
        "cpu": 0.01 if vm.running else 0,
        "uptime": int(site.wall() - vm.started_at) if vm.running else 0,
        **dict.fromkeys(("disk", "diskread", "diskwrite", "netin", "netout"), 0),
    }
    if "tags" in vm.config:
        result["tags"] = vm.config["tags"]
    if vm.lock:
        result["lock"] = vm.lock
    return result


def _processors(vm: Vm) -> int:
    return int(vm.config.get("cores", 1)) * int(vm.config.get("sockets", 1))


def _details(site: Site, vm: Vm) -> dict[str, Any]:
    result = statistics(site, vm) | {"cpus": _processors(vm)}
    if any(key.startswith("serial") for key in vm.config):
        result["serial"] = 1
    if vm.template:
        result["template"] = 1
    if vm.running:
        result["pid"] = vm.pid
    return result


@route("GET", _QEMU)
async def vms(call: Call) -> list[dict[str, Any]]:
    """The VMs of the node that the caller may see; an empty list may mean "no permission"."""
    return [
        _details(call.site, vm)
        for vm in call.cluster.vms.values()
        if vm.node == call.text("node") and call.allowed(f"/vms/{vm.vmid}", "VM.Audit")
    ]


@route("GET", _VM)
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a VM."""
    names = ("config", "pending", "cloudinit", "status", "agent", "snapshot", "clone", "migrate", "resize", "unlink")
    return [{"subdir": name} for name in names]


@route("GET", _VM + "/status")
async def status_index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a VM's status."""
    names = ("current", "start", "stop", "reset", "shutdown", "suspend", "resume", "reboot")
    return [{"subdir": name} for name in names]


@route("GET", _VM + "/status/current")
async def current(call: Call) -> dict[str, Any]:
    """The state now; `status` stays `running` while `qmpstatus` is `paused`."""
    vm = call.vm()
    result = _details(call.site, vm) | {"ha": {"managed": 0}, "clipboard": None}
    result["qmpstatus"] = "paused" if vm.paused else vm.status
    if vm.agent_enabled:
        result["agent"] = 1
    if vm.running:
        result["running-machine"] = "pc-q35-9.2+pve1" if vm.config.get("machine") == "q35" else "pc-i440fx-9.2+pve1"
        result["running-qemu"] = _RUNNING_QEMU
        result["blockstat"] = {key: dict(_IDLE_DISK) for key in vm.disks()}
        result["nics"] = {f"tap{vm.vmid}i{key[3:]}": {"netin": 0, "netout": 0} for key in vm.macs()}
        result["proxmox-support"] = {"pbs-dirty-bitmap": True, "pbs-library-version": "1.5.1"}
    return result


@route("PUT", _VM + "/resize")
async def resize(call: Call) -> str:
    """Grow a disk in a task; a missing disk or VM, a lock and a shrink show up only there."""

    async def worker(task: Task) -> None:
        vm = find_vm(call.cluster, call.text("node"), call.vmid)
        check_lock(vm)
        _resize(vm, call.text("disk"), call.text("size"))
        await call.site.sleep(call.site.timings.resize_s)
        task.log("Image resized.")

    return launch(call, "resize", worker)


def _resize(vm: Vm, key: str, wanted: str) -> None:
    disk = vm.disks().get(key)
    if disk is None:
        raise PveError(f"disk '{key}' does not exist")
    if disk.get("media") == "cdrom":
        raise PveError("you can't resize a cdrom")
    old = size_gib(disk.get("size", ""))
    new = size_gib(wanted.lstrip("+")) + (old if wanted.startswith("+") else 0)
    if new < old:
        raise PveError("shrinking disks is not supported")
    vm.config[key] = print_drive(disk["file"], disk | {"size": print_gib(new)})


@route("DELETE", _VM)
async def destroy(call: Call) -> str:
    """Destroy in a task; until it ends the VM is still listed."""
    vm = call.vm()
    if vm.running:
        raise PveError(f"VM {vm.vmid} is running - destroy failed")
    if vm.config.get("protection") == 1:
        raise PveError(f"can't remove VM {vm.vmid} - protection mode enabled")

    async def worker(task: Task) -> None:
        await _destroy(call, task)

    return launch(call, "qmdestroy", worker)


async def _destroy(call: Call, task: Task) -> None:
    vm = find_vm(call.cluster, call.text("node"), call.vmid)
    check_lock(vm)
    if vm.running:
        raise PveError(f"VM {vm.vmid} is running - destroy failed")
    for disk in vm.disks().values():
        base = disk["file"].partition(":")[2]
        for other in call.cluster.vms.values():
            linked = any(f":{base}/" in str(value) for value in other.config.values())
            if other is not vm and re.fullmatch(r"base-\d+-disk-\d+", base) and linked:
                raise PveError(f"base volume '{disk['file']}' is still in use by linked cloned")
    await call.site.sleep(call.site.timings.destroy_s)
    find_vm(call.cluster, call.text("node"), call.vmid)  # of two such tasks the second finds no configuration any more
    if call.flag("purge"):
        task.log(f"purging VM {vm.vmid} from related configurations..")
    await call.site.destroy_guest(vm.vmid)
    del call.cluster.vms[vm.vmid]
