"""The VM itself: list and status (proxmox.md a4, a7; the fields of 9.2 measured on 9.2.11)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import ha
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.options import memory_mib
from pvenix_lab.site.pve.sizes import MIB, size_bytes
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.vm import Vm

_QEMU = "/nodes/{node}/qemu"
_VM = _QEMU + "/{vmid}"
_WEDGED_S = 8.0
"""How long the status of a VM with a silent monitor takes; it still answers 200 (measured on 8.4.5)."""
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
    return memory_mib(vm.config) * MIB


def boot_disk_bytes(vm: Vm) -> int:
    """Size of the disk that the boot order names first, 0 without one."""
    order = parse_properties(str(vm.config.get("boot", ""))).get("order", "scsi0").split(";")
    disks = vm.disks()
    sizes = [size_bytes(disks[key].get("size", "")) for key in order if key in disks]
    return sizes[0] if sizes else 0


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
    if site.cluster.flavour is Flavour.PVE_9_2:
        _widen(result, running=vm.running)
    if "tags" in vm.config:
        result["tags"] = vm.config["tags"]
    if vm.lock:
        result["lock"] = vm.lock
    return result


def _widen(result: dict[str, Any], *, running: bool) -> None:
    """What 9.2 shows more and less: memory on the host, pressure of a running VM, no disk traffic of a stopped one."""
    result["memhost"] = result["mem"]
    if running:
        result |= {f"pressure{kind}{how}": 0 for kind in ("cpu", "io", "memory") for how in ("some", "full")}
    else:
        del result["diskread"], result["diskwrite"]


def processors(vm: Vm) -> int:
    """Virtual processors of the VM."""
    return int(vm.config.get("cores", 1)) * int(vm.config.get("sockets", 1))


def _details(site: Site, vm: Vm) -> dict[str, Any]:
    result = statistics(site, vm) | {"cpus": processors(vm)}
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
    if vm.wedged:
        await asyncio.sleep(_WEDGED_S)
    result = _details(call.site, vm) | {"ha": _ha(call, vm), "clipboard": None}
    result["qmpstatus"] = "paused" if vm.paused else vm.status
    if vm.agent_enabled:
        result["agent"] = 1
    if vm.config.get("balloon"):
        result["balloon_min"] = int(vm.config["balloon"]) * MIB
    if vm.running and not vm.wedged:
        result["running-machine"] = "pc-q35-9.2+pve1" if vm.config.get("machine") == "q35" else "pc-i440fx-9.2+pve1"
        result["running-qemu"] = _RUNNING_QEMU
        result["blockstat"] = {key: dict(_IDLE_DISK) for key in vm.disks()}
        result["nics"] = {f"tap{vm.vmid}i{key[3:]}": {"netin": 0, "netout": 0} for key in vm.macs()}
        result["proxmox-support"] = {"pbs-dirty-bitmap": True, "pbs-library-version": "1.5.1"}
    return result


def _ha(call: Call, vm: Vm) -> dict[str, Any]:
    found = ha.resource(call.cluster, vm.vmid)
    if found is None:
        return {"managed": 0}
    return {"managed": 1, "state": found.get("state", "started")} | {k: found[k] for k in ("group",) if k in found}
