"""Moving a VM whose disks are all on shared storage to another node; local disks are not modelled and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, check_lock, find_vm, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import Vm

_MIGRATE = "/nodes/{node}/qemu/{vmid}/migrate"


def _local_disks(call: Call, vm: Vm) -> list[dict[str, Any]]:
    volumes = [disk["file"] for disk in vm.disks().values() if ":" in disk.get("file", "")]
    storages = call.cluster.storages
    return [{"volid": volume} for volume in volumes if not storages[volume.partition(":")[0]].shared]


def _mapped(vm: Vm) -> list[str]:
    return [parse_properties(str(v), "host").get("mapping", k) for k, v in vm.config.items() if k.startswith("hostpci")]


@route("GET", _MIGRATE)
async def precheck(call: Call) -> dict[str, Any]:
    """Where the VM could go and what keeps it."""
    vm = call.vm()
    return {
        "running": 1 if vm.running else 0,
        "allowed_nodes": [name for name in call.cluster.nodes if name != vm.node],
        "not_allowed_nodes": {},
        "local_disks": _local_disks(call, vm),
        "local_resources": sorted(key for key in vm.config if key.startswith("hostpci")),
        "mapped-resources": _mapped(vm),
    }


@route("POST", _MIGRATE)
async def migrate(call: Call) -> str:
    """Migrate in a task; target, running state and local resources are checked in the call."""
    vm, target = call.vm(), call.text("target")
    if target == vm.node:
        raise ParameterError({"target": "target is local node."})
    if target not in call.cluster.nodes:
        raise PveError(f"no such cluster node '{target}'")
    if vm.running and not call.flag("online"):
        raise PveError("can't migrate running VM without --online")

    async def worker(task: Task) -> None:
        moved = find_vm(call.cluster, call.text("node"), call.vmid)
        check_lock(moved)
        if _local_disks(call, moved):
            raise PveError("migration aborted: VM uses local storage")
        if moved.running and _mapped(moved):
            raise PveError("can't migrate running VM which uses following mapped devices: " + ", ".join(_mapped(moved)))
        task.log(f"starting migration of VM {moved.vmid} to node '{target}' ({call.cluster.nodes[target].ip})")
        moved.lock = "migrate"
        await call.site.sleep(call.site.timings.migrate_s)
        moved.node, moved.lock = target, None
        task.log("migration finished successfully")

    return launch(call, "qmigrate", worker)
