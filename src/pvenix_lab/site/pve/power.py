"""Power: start, stop, shutdown, reboot, reset, suspend, resume (proxmox.md a4, a7; source: qemu-server 8.4 vm_start, _do_vm_stop).

An HA resource is not touched by these calls: they ask the HA manager, whose answer comes later (F27).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import cloudinit, ha, volumes
from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.config import check_custom
from pvenix_lab.site.pve.devices import check_devices
from pvenix_lab.site.pve.disks import remake_cloudinit
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.needs import need_quorum, need_vm, root_parameters
from pvenix_lab.site.pve.pending import apply as apply_pending
from pvenix_lab.site.pve.snippets import snippets
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties
from pvenix_lab.site.pve.vmstate import drop_state, save_state, state_storage

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.vm import Vm

_STATUS = "/nodes/{node}/qemu/{vmid}/status"
_SHUTDOWN_TIMEOUT_S = 60


async def power_on(call: Call, vm: Vm) -> None:
    """Make the VM run: pending changes apply, the cloud-init drive is written, the guest begins to boot."""
    apply_pending(call, vm)
    custom = snippets(call.cluster, vm, vm.config.get("cicustom"))
    cloudinit.regenerate(vm, resolver=call.cluster.resolver, custom=custom)
    site = call.site
    vm.status, vm.paused, vm.frozen, vm.wedged = "running", False, False, False
    vm.pid, vm.started_at = 2000 + site.rng.randrange(30000), site.wall()
    await site.guest_for(vm).power_on()


async def power_off(site: Site, vm: Vm, *, graceful: bool) -> None:
    """Stop the guest and its VM; returns when it is off."""
    guest = site.guests.get(vm.vmid)
    if guest is not None:
        await guest.power_off(graceful=graceful)
    vm.status, vm.paused, vm.pid, vm.frozen, vm.wedged = "stopped", False, None, False, False


async def start_now(call: Call, vm: Vm, task: Task) -> None:
    """Start a VM inside a task. Raises PveError for everything that keeps QEMU from running."""
    if vm.template:
        raise PveError("you can't start a vm if it's a template")
    if not (vm.lock == "backup" and vm.running) and vm.lock != "suspended":
        check_lock(vm)
    if vm.running:
        raise PveError(f"VM {vm.vmid} already running")
    for text in apply_pending(call, vm).values():
        task.log(text.rstrip())
    if vm.cloudinit_drive() is not None:
        check_custom(call, vm, vm.config.get("cicustom"))
        remake_cloudinit(call, vm)
        task.log("generating cloud-init ISO")
    check_devices(call.cluster, vm, task)
    if vm.lock == "suspended":
        task.log("Resuming suspended VM")
        drop_state(call.cluster, vm)
    await call.site.sleep(call.site.timings.start_s)
    await power_on(call, vm)


@route("POST", _STATUS + "/start")
async def start(call: Call) -> str:
    """Start in a task; every refusal is in the task."""
    root_parameters(
        call,
        "stateuri",
        "skiplock",
        "migratedfrom",
        "migration_type",
        "migration_network",
        "targetstorage",
        "force-cpu",
    )
    need_quorum(call)
    if ha.managed(call.cluster, call.vmid):
        return launch(call, "hastart", ha.requester(call, "start", "started"))

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            await start_now(call, _vm(call), task)

    return launch(call, "qmstart", worker)


@route("POST", _STATUS + "/stop")
async def stop(call: Call) -> str:
    """Pull the plug in a task; a stopped VM is fine. A shutdown under way holds the lock file unless it is overruled."""
    root_parameters(call, "skiplock", "keepActive", "migratedfrom")
    if ha.managed(call.cluster, call.vmid):
        if call.flag("overrule-shutdown"):
            raise ParameterError({"overrule-shutdown": "Not applicable for HA resources."})
        return launch(call, "hastop", ha.requester(call, "stop", "stopped"))

    async def worker(task: Task) -> None:
        if call.flag("overrule-shutdown"):
            await _overrule(call, task)
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _vm(call)
            if vm.running:
                check_lock(vm)
                await call.site.sleep(call.site.timings.stop_s)
                await power_off(call.site, vm, graceful=False)

    return launch(call, "qmstop", worker)


async def _overrule(call: Call, task: Task) -> None:
    """Stop the shutdown tasks of the VM that the caller may stop."""
    ended = []
    for other in list(call.cluster.tasks.values()):
        same = other.type == "qmshutdown" and other.id == str(call.vmid) and other.node == call.text("node")
        if same and other.running and other.job is not None and other.owner == call.caller.auth_id:
            other.job.cancel()
            await asyncio.wait([other.job])
            ended.append(other.upid)
    if ended:
        task.log(f"overruled qmshutdown tasks: {', '.join(ended)}")


@route("POST", _STATUS + "/shutdown")
async def shutdown(call: Call) -> str:
    """Ask the guest to go down, in a task; a paused VM is refused at once unless forced, a stopped one is fine."""
    root_parameters(call, "skiplock", "keepActive")
    vm = call.cluster.vms.get(call.vmid)
    if vm is not None and vm.paused and not call.flag("forceStop"):
        raise PveError("VM is paused - cannot shutdown")
    if ha.managed(call.cluster, call.vmid):
        return launch(call, "hastop", ha.requester(call, "stop", "stopped"))

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            await shutdown_now(call, _vm(call), task)

    return launch(call, "qmshutdown", worker)


@route("POST", _STATUS + "/reboot")
async def reboot(call: Call) -> str:
    """Shut down and start again, in a task; pending changes apply."""
    vm = call.cluster.vms.get(call.vmid)
    if vm is not None and vm.paused:
        raise PveError("VM is paused - cannot shutdown")
    _running(call)

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _vm(call)
            await shutdown_now(call, vm, task)
            apply_pending(call, vm)
            check_devices(call.cluster, vm, task)
            await power_on(call, vm)

    return launch(call, "qmreboot", worker)


@route("POST", _STATUS + "/reset")
async def reset(call: Call) -> str:
    """Press reset, in a task: the guest loses what it did not write, pending changes stay pending."""
    root_parameters(call, "skiplock")
    _running(call)

    async def worker(_task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _vm(call)
            check_lock(vm)
            guest = call.site.guest_for(vm)
            await guest.power_off(graceful=False)
            vm.frozen, vm.started_at = False, call.site.wall()
            await guest.power_on()

    return launch(call, "qmreset", worker)


@route("POST", _STATUS + "/suspend")
async def suspend(call: Call) -> str:
    """Pause the virtual processors, or with `todisk` save the memory and stop; the guest's agent falls silent."""
    root_parameters(call, "skiplock")
    vm = _running(call)
    to_disk = call.flag("todisk")
    if to_disk:
        _check_suspend_to_disk(call, vm)

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _vm(call)
            if to_disk and vm.lock == "backup":
                raise PveError("cannot suspend to disk during backup")
            if vm.lock != "backup":
                check_lock(vm)
            if not to_disk:
                vm.paused = True
                return
            vm.lock = "suspending"
            save_state(call, vm, call.text("statestorage"))
        await call.site.sleep(call.site.timings.snapshot_s)
        task.log("State saved, quitting")
        await power_off(call.site, vm, graceful=False)
        vm.lock = "suspended"

    return launch(call, "qmsuspend" if to_disk else "qmpause", worker)


def _check_suspend_to_disk(call: Call, vm: Vm) -> None:
    if ha.managed(call.cluster, call.vmid):
        raise PveError("Cannot suspend HA managed VM to disk")
    need_vm(call, vm.vmid, "VM.Config.Disk")
    if any(key.startswith("hostpci") for key in vm.config):
        text = "cannot suspend VM to disk due to passed-through PCI device(s), which lack the possibility"
        raise PveError(f"{text} to save/restore their internal state")
    storage = call.text("statestorage") or state_storage(call.cluster, vm)
    call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
    volumes.storage_named(call.cluster, storage, vm.node)


@route("POST", _STATUS + "/resume")
async def resume(call: Call) -> str:
    """Continue a paused VM, or start one that was suspended to disk."""
    root_parameters(call, "skiplock", "nocheck")
    vm = call.cluster.vms.get(call.vmid)
    if vm is None or vm.lock != "suspended":
        _running(call)

    async def worker(task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _vm(call)
            if vm.lock == "suspended":
                await start_now(call, vm, task)
            elif vm.paused:
                if vm.lock != "backup":
                    check_lock(vm)
                vm.paused = False

    return launch(call, "qmresume", worker)


def _vm(call: Call) -> Vm:
    """The VM at the time when the task runs."""
    return find_vm(call.cluster, call.text("node"), call.vmid)


def _running(call: Call) -> Vm:
    vm = call.vm()
    if not vm.running:
        raise PveError(f"VM {vm.vmid} not running")
    return vm


async def shutdown_now(call: Call, vm: Vm, task: Task) -> None:
    """Ask the guest to go down, by its agent or by ACPI, which cost the same here. Raises PveError if it does not, unless forced."""
    if not vm.running:
        return
    check_lock(vm)
    if vm.paused and call.flag("forceStop"):
        task.log("VM is paused - stop instead of shutdown")
        await power_off(call.site, vm, graceful=False)
        return
    down = parse_properties(";".join(split_list(str(vm.config.get("startup", "")))).replace(";", ",")).get("down")
    timeout = call.number("timeout", int(down) if down else _SHUTDOWN_TIMEOUT_S)
    try:
        async with asyncio.timeout(timeout):
            if vm.wedged:
                await asyncio.sleep(timeout + 1)
            await power_off(call.site, vm, graceful=True)
    except TimeoutError:
        if not call.flag("forceStop"):
            raise PveError("VM quit/powerdown failed - got timeout") from None
        task.log("VM still running - terminating now with SIGTERM")
        await power_off(call.site, vm, graceful=False)
