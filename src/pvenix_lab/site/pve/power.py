"""Power: start, stop, shutdown, reboot, reset, suspend, resume (proxmox.md a4, a7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import cloudinit
from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.config import apply_at_start, check_custom
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import NET_KEY, parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.vm import Vm

_STATUS = "/nodes/{node}/qemu/{vmid}/status"
_SHUTDOWN_TIMEOUT_S = 60


async def power_on(site: Site, vm: Vm) -> None:
    """Make the VM run: pending changes apply, the cloud-init drive is written, the guest begins to boot."""
    apply_at_start(vm)
    cloudinit.regenerate(vm, resolver=site.cluster.resolver)
    vm.status, vm.paused = "running", False
    vm.pid, vm.started_at = 2000 + site.rng.randrange(30000), site.wall()
    await site.guest_for(vm).power_on()


async def power_off(site: Site, vm: Vm, *, graceful: bool) -> None:
    """Stop the guest and its VM; returns when it is off."""
    guest = site.guests.get(vm.vmid)
    if guest is not None:
        await guest.power_off(graceful=graceful)
    vm.status, vm.paused, vm.pid = "stopped", False, None


@route("POST", _STATUS + "/start")
async def start(call: Call) -> str:
    """Start in a task; every refusal is in the task."""

    async def worker(task: Task) -> None:
        vm = _task_vm(call)
        if vm.template:
            raise PveError("you can't start a vm if it's a template")
        if vm.running:
            raise PveError(f"VM {vm.vmid} already running")
        apply_at_start(vm)
        _check_devices(call.cluster, vm, task)
        if vm.cloudinit_drive() is not None:
            if "cicustom" in vm.config:
                check_custom(vm.config["cicustom"])
            task.log("generating cloud-init ISO")
        await call.site.sleep(call.site.timings.start_s)
        await power_on(call.site, vm)

    return launch(call, "qmstart", worker)


@route("POST", _STATUS + "/stop")
async def stop(call: Call) -> str:
    """Pull the plug in a task; a stopped VM is fine."""

    async def worker(_task: Task) -> None:
        vm = _task_vm(call)
        if vm.running:
            await call.site.sleep(call.site.timings.stop_s)
            await power_off(call.site, vm, graceful=False)

    return launch(call, "qmstop", worker)


@route("POST", _STATUS + "/shutdown")
async def shutdown(call: Call) -> str:
    """Ask the guest to go down, in a task; a paused VM is refused at once, a stopped one is fine."""
    vm = call.cluster.vms.get(call.vmid)
    if vm is not None and vm.paused:
        raise PveError("VM is paused - cannot shutdown")

    async def worker(_task: Task) -> None:
        await _shutdown(call, _task_vm(call))

    return launch(call, "qmshutdown", worker)


@route("POST", _STATUS + "/reboot")
async def reboot(call: Call) -> str:
    """Shut down and start again, in a task; pending changes apply."""
    _running(call)

    async def worker(task: Task) -> None:
        vm = _task_vm(call)
        await _shutdown(call, vm)
        _check_devices(call.cluster, vm, task)
        await power_on(call.site, vm)

    return launch(call, "qmreboot", worker)


@route("POST", _STATUS + "/reset")
async def reset(call: Call) -> str:
    """Press reset, in a task: the guest loses what it did not write, pending changes stay pending."""
    _running(call)

    async def worker(_task: Task) -> None:
        vm = _task_vm(call)
        guest = call.site.guest_for(vm)
        await guest.power_off(graceful=False)
        vm.started_at = call.site.wall()
        await guest.power_on()

    return launch(call, "qmreset", worker)


@route("POST", _STATUS + "/suspend")
async def suspend(call: Call) -> str:
    """Pause the virtual processors; the guest's agent falls silent."""
    _running(call)

    async def worker(_task: Task) -> None:
        _task_vm(call).paused = True

    return launch(call, "qmpause", worker)


@route("POST", _STATUS + "/resume")
async def resume(call: Call) -> str:
    """Continue a paused VM."""
    _running(call)

    async def worker(_task: Task) -> None:
        _task_vm(call).paused = False

    return launch(call, "qmresume", worker)


def _task_vm(call: Call) -> Vm:
    """The VM at the time when the task runs, unlocked."""
    vm = find_vm(call.cluster, call.text("node"), call.vmid)
    check_lock(vm)
    return vm


def _running(call: Call) -> Vm:
    vm = call.vm()
    if not vm.running:
        raise PveError(f"VM {vm.vmid} not running")
    return vm


async def _shutdown(call: Call, vm: Vm) -> None:
    if not vm.running:
        return
    timeout = call.number("timeout", _SHUTDOWN_TIMEOUT_S)
    try:
        async with asyncio.timeout(timeout):
            await power_off(call.site, vm, graceful=True)
    except TimeoutError:
        if not call.flag("forceStop"):
            raise PveError("VM quit/powerdown failed - got timeout") from None
        await power_off(call.site, vm, graceful=False)


def _check_devices(cluster: Cluster, vm: Vm, task: Task) -> None:
    """Raise PveError for a bridge or a mapped device that the node does not have, or that another VM holds."""
    for key, value in sorted(vm.config.items()):
        parts = parse_properties(str(value), "host")
        bridge = parts.get("bridge")
        if NET_KEY.match(key) and bridge and bridge not in cluster.nodes[vm.node].bridges:
            task.log(f"bridge '{bridge}' does not exist")
            raise PveError("start failed: QEMU exited with code 1")
        if key.startswith("hostpci"):
            _check_mapping(cluster, vm, parts.get("mapping", ""))


def _check_mapping(cluster: Cluster, vm: Vm, name: str) -> None:
    mapping = cluster.mappings.get(name)
    path = mapping.paths.get(vm.node) if mapping else None
    if path is None:
        raise PveError(
            f"PCI device mapping not found for '{name}'"
            if mapping is None
            else f"no PCI device of '{name}' on node '{vm.node}'"
        )
    for other in cluster.vms.values():
        if other is vm or not other.running or other.node != vm.node:
            continue
        held = [parse_properties(str(v), "host") for k, v in other.config.items() if k.startswith("hostpci")]
        if any(parts.get("mapping") == name for parts in held):
            raise PveError(f"PCI device '{path}' already in use by VMID '{other.vmid}'")
