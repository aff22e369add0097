"""Starting, stopping and migrating all VMs of a node: one task that starts a task for each (source: pve-manager 8.4 API2/Nodes.pm)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import ha, migrate, power
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import PermissionDeniedError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import Vm

_LAST = 2**31
_SHUTDOWN_S = 180


def _check(call: Call, privilege: str) -> None:
    """The privilege on `/`, or on each of the named VMs."""
    if call.allowed("/", privilege):
        return
    named = split_list(call.text("vms"))
    if not named:
        raise PermissionDeniedError(f"/, {privilege}")
    for vmid in named:
        call.require(f"/vms/{vmid}", privilege)


def _chosen(call: Call, *, with_ha: bool) -> list[Vm]:
    """The node's VMs that are no templates, the named ones if some are named, in start order."""
    named = {int(text) for text in split_list(call.text("vms"))}
    found = [
        vm for vm in call.cluster.vms.values()
        if vm.node == call.text("node") and not vm.template and (not named or vm.vmid in named)
    ]  # fmt: skip
    if not named and not with_ha:
        found = [vm for vm in found if not ha.managed(call.cluster, vm.vmid)]
    return sorted(found, key=lambda vm: (_order(vm), vm.vmid))


def _order(vm: Vm) -> int:
    startup = parse_properties(str(vm.config.get("startup", "")), "order").get("order", "")
    return int(startup) if startup.isdigit() else _LAST


def _for(call: Call, vm: Vm, **more: Value) -> Call:
    return replace(call, params={"node": vm.node, "vmid": vm.vmid, **more})


async def _each(call: Call, task: Task, vms: list[Vm], word: str, act: Callable[[Vm], Awaitable[str]]) -> int:
    """Start a task for each VM and wait for all; the number of those that failed."""
    upids: list[tuple[Vm, str]] = []
    failed = 0
    for vm in vms:
        task.log(f"{word} VM {vm.vmid}")
        try:
            upids.append((vm, await act(vm)))
        except PveError as error:
            failed += 1
            task.log(error.message)
    jobs = [job for _, upid in upids if (job := call.cluster.tasks[upid].job) is not None]
    if jobs:
        await asyncio.wait(jobs)
    for vm, upid in upids:
        status = call.cluster.tasks[upid].exitstatus or "unexpected status"
        if status != "OK" and not status.startswith("WARNINGS"):
            failed += 1
            task.log(f"{word} VM {vm.vmid} failed: {status}")
    return failed


@route("POST", "/nodes/{node}/startall")
async def start_all(call: Call) -> str:
    """Start the VMs with `onboot`, or with `force` all of them; left over backup locks are removed. Failures are only logged."""
    _check(call, "VM.PowerMgmt")

    async def worker(task: Task) -> None:
        for vm in call.cluster.vms.values():
            if vm.node == call.text("node") and vm.lock == "backup":
                task.log(f"removed left over backup lock from '{vm.vmid}'!")
                vm.lock = None
        vms = [vm for vm in _chosen(call, with_ha=False) if not vm.running]
        vms = [vm for vm in vms if call.flag("force") or vm.config.get("onboot") == 1]
        await _each(call, task, vms, "Starting", lambda vm: power.start(_for(call, vm)))

    return launch(call, "startall", worker, identity="")


@route("POST", "/nodes/{node}/stopall")
async def stop_all(call: Call) -> str:
    """Shut the running VMs down, the last started first; those that do not react are stopped hard unless told otherwise."""
    _check(call, "VM.PowerMgmt")
    timeout, force = call.number("timeout", _SHUTDOWN_S), int(call.flag("force-stop", default=True))

    async def worker(task: Task) -> None:
        vms = [vm for vm in reversed(_chosen(call, with_ha=False)) if vm.running]

        def act(vm: Vm) -> Awaitable[str]:
            return power.shutdown(_for(call, vm, timeout=timeout, forceStop=force))

        await _each(call, task, vms, "Stopping", act)

    return launch(call, "stopall", worker, identity="")


@route("POST", "/nodes/{node}/migrateall")
async def migrate_all(call: Call) -> str:
    """Migrate every VM to another node, running ones online; the task fails if one of them does."""
    target = call.text("target")
    if target == call.text("node"):
        raise PveError("target is local node.")
    _check(call, "VM.Migrate")
    if target not in call.cluster.nodes:
        raise PveError(f"no such cluster node '{target}'")
    local = int(call.flag("with-local-disks"))

    async def worker(task: Task) -> None:
        async def act(vm: Vm) -> str:
            online = int(vm.running)
            return migrate.begin(_for(call, vm, target=target, online=online, **{"with-local-disks": local}), target)

        if await _each(call, task, _chosen(call, with_ha=True), "Migrating", act):
            raise PveError("some guests could not be migrated")

    return launch(call, "migrateall", worker, identity="")
