"""What the HA manager does with a resource in its next round: start, stop or move it, or give up (source: pve-ha-manager Manager.pm, F27).

A round comes some seconds after the wish, so the request's task is over long before the VM changes. What the manager does appears
as tasks of root@pam.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import ha, migrate, power
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.permissions import Caller
from pvenix_lab.site.pve.rights import ROOT
from pvenix_lab.site.pve.tasks import Task, launch

if TYPE_CHECKING:
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import Vm

_RESOURCE = "/cluster/ha/resources/{sid}"
_STOPPED = frozenset({"stopped", "disabled"})
_SHUTDOWN_S = 60


def wake(call: Call, vmid: int) -> None:
    """Let the manager look at a VM in its next round."""
    call.site.spawn(_round(call, vmid), f"HA round for {vmid}")


async def _round(call: Call, vmid: int) -> None:
    site = call.site
    await site.sleep(site.timings.broadcast_s)
    found, vm = ha.resource(site.cluster, vmid), site.cluster.vms.get(vmid)
    if found is None or vm is None or not site.cluster.quorate:
        return
    root = Caller(auth_id=ROOT, rights=site.cluster.rights)
    target = found.pop("request_migrate", None)
    params: dict[str, Value] = {"node": vm.node, "vmid": vmid}
    if target:
        params |= {"target": str(target), "online": int(vm.running)}
    own = replace(call, caller=root, params=params)
    wanted = found.get("state", "started")
    if target and target != vm.node:
        _launch(own, found, "qmigrate", lambda task: migrate.move(own, task, str(target)))
    elif wanted in _STOPPED and vm.running:
        _launch(own, found, "qmshutdown", lambda task: _stop(own, vm, task))
    elif wanted in {"started", "enabled"} and not vm.running and not vm.template:
        _launch(own, found, "qmstart", lambda task: _start(own, vm, task))


def _launch(call: Call, found: dict[str, Any], kind: str, act: Any) -> None:
    async def worker(task: Task) -> None:
        try:
            await act(task)
        except PveError:
            if kind == "qmstart":
                found["error"] = True  # the resource must be disabled before it can be started again
            raise

    launch(call, kind, worker)


async def _start(call: Call, vm: Vm, task: Task) -> None:
    async with held(call.cluster, vm.node, vm.vmid):
        await power.start_now(call, vm, task)


async def _stop(call: Call, vm: Vm, task: Task) -> None:
    call.params |= {"timeout": _SHUTDOWN_S, "forceStop": 1}
    async with held(call.cluster, vm.node, vm.vmid):
        await power.shutdown_now(call, vm, task)


def changed(call: Call, name: str) -> None:
    """A resource was added or changed."""
    kind, _, number = name.partition(":")
    if kind == "vm" and number.isdigit():
        wake(call, int(number))


def _move(call: Call) -> dict[str, Any]:
    sid, node = call.text("sid"), call.text("node")
    name = service_id(sid)
    found = call.cluster.sections.get(ha.RESOURCES, {}).get(name)
    if found is None:
        raise PveError(f"no such resource '{name}'")
    if node not in call.cluster.nodes:
        raise ParameterError({"node": f"no such cluster node '{node}'"})
    found["request_migrate"] = node
    changed(call, name)
    return {"sid": name, "requested-node": node}


def service_id(sid: str) -> str:
    """The id of a service: a bare number is a VM's (source: pve-ha-manager HA/Tools.pm, `pve-ha-resource-or-vm-id`)."""
    return f"vm:{sid}" if sid.isdigit() else sid


@route("POST", _RESOURCE + "/migrate")
async def move_online(call: Call) -> dict[str, Any]:
    """Ask the manager to migrate a resource; it does so in its next round."""
    return _move(call)


@route("POST", _RESOURCE + "/relocate")
async def relocate(call: Call) -> dict[str, Any]:
    """Ask the manager to move a resource by stopping it; here it moves as by `migrate`."""
    return _move(call)
