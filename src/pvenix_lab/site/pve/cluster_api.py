"""Cluster-wide calls: version, status, resources, next free id, tasks, mappings, pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.nodes import entry as node_entry
from pvenix_lab.site.pve.qemu import statistics
from pvenix_lab.site.pve.storage import usage
from pvenix_lab.site.pve.tasks_api import shown_user

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

_FIRST_ID, _LAST_ID = 100, 1_000_000
_SHOWN_TASKS = 25


@route("GET", "/version")
async def version(call: Call) -> dict[str, str]:
    """The version of the manager."""
    release = call.flavour.release
    return {"version": release.version, "release": call.flavour.value, "repoid": release.repoid}


@route("GET", "/cluster/status")
async def status(call: Call) -> list[dict[str, Any]]:
    """The cluster and its nodes."""
    nodes = [
        {
            "type": "node",
            "id": f"node/{node.name}",
            "name": node.name,
            "nodeid": node.nodeid,
            "ip": node.ip,
            "online": 1,
            "local": 1 if node.nodeid == 1 else 0,
            "level": "",
        }
        for node in call.cluster.nodes.values()
    ]
    cluster = {
        "type": "cluster",
        "id": "cluster",
        "name": call.cluster.name,
        "nodes": len(nodes),
        "quorate": 1,
        "version": 2,
    }
    return [cluster, *nodes]


@route("GET", "/cluster/nextid")
async def next_id(call: Call) -> str:
    """The lowest free id, as text; it reserves nothing."""
    if "vmid" in call.params:
        if call.vmid in call.cluster.vms:
            raise ParameterError({"vmid": f"VM {call.vmid} already exists"})
        return str(call.vmid)
    free = next((vmid for vmid in range(_FIRST_ID, _LAST_ID) if vmid not in call.cluster.vms), None)
    if free is None:
        raise PveError(f"unable to get any free VMID in range [{_FIRST_ID}, {_LAST_ID}]")
    return str(free)


@route("GET", "/cluster/resources")
async def resources(call: Call) -> list[dict[str, Any]]:
    """Everything at a glance, the VMs as of the last broadcast of the statistics daemon (proxmox.md a7)."""
    kind = call.text("type")
    items: list[dict[str, Any]] = []
    if kind in {"", "vm"}:
        items += [item for item in _vm_resources(call.site) if call.allowed(f"/vms/{item['vmid']}", "VM.Audit")]
    if kind in {"", "node"}:
        items += [
            node_entry(call.site, node, visible=call.allowed(f"/nodes/{node.name}", "Sys.Audit"))
            for node in call.cluster.nodes.values()
        ]
    if kind in {"", "storage"}:
        items += _storage_resources(call)
    if kind in {"", "sdn"} and call.allowed("/sdn/zones/localnetwork", "SDN.Audit", "SDN.Allocate", any_of=True):
        items += [
            {"type": "sdn", "id": f"sdn/{name}/localnetwork", "node": name, "sdn": "localnetwork", "status": "ok"}
            for name in call.cluster.nodes
        ]
    if not kind:
        pools = [pool for pool in call.cluster.pools if call.allowed(f"/pool/{pool}", "Pool.Audit")]
        items += [{"type": "pool", "id": f"/pool/{pool}", "pool": pool} for pool in pools]
    return items


def _vm_resources(site: Site) -> list[dict[str, Any]]:
    cluster = site.cluster
    now = site.wall()
    if now - cluster.broadcast_at >= site.timings.broadcast_s * site.time_scale:
        cluster.broadcast_at = now
        cluster.broadcast = {vmid: _broadcast(site, vmid) for vmid, vm in cluster.vms.items() if vm.lock != "clone"}
    items: list[dict[str, Any]] = []
    for vm in cluster.vms.values():
        item = {"type": "qemu", "id": f"qemu/{vm.vmid}", "vmid": vm.vmid, "node": vm.node, "status": "unknown"}
        item |= {"template": 1 if vm.template else 0} | cluster.broadcast.get(vm.vmid, {})
        # tags, lock and pool are read from the cluster file system, not from the broadcast
        fresh = {"tags": vm.config.get("tags"), "lock": vm.lock, "pool": vm.pool}
        items.append(item | {key: value for key, value in fresh.items() if value})
    return items


def _broadcast(site: Site, vmid: int) -> dict[str, Any]:
    vm = site.cluster.vms[vmid]
    figures = statistics(site, vm)
    for key in ("tags", "lock"):
        figures.pop(key, None)
    return figures | {"maxcpu": int(vm.config.get("cores", 1)) * int(vm.config.get("sockets", 1))}


def _storage_resources(call: Call) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for storage in call.cluster.storages.values():
        if not call.allowed(f"/storage/{storage.name}", "Datastore.Audit"):
            continue
        room = usage(call.cluster, storage)
        items += [
            {
                "type": "storage",
                "id": f"storage/{node}/{storage.name}",
                "node": node,
                "storage": storage.name,
                "plugintype": storage.type,
                "content": ",".join(storage.content),
                "shared": 1 if storage.shared else 0,
                "status": "available",
                "maxdisk": room["total"],
                "disk": room["used"],
            }
            for node in storage.nodes
        ]
    return items


@route("GET", "/cluster/tasks")
async def tasks(call: Call) -> list[dict[str, Any]]:
    """The newest tasks of every node; a running one has neither `status` nor `endtime`."""
    found = [
        task
        for task in reversed(call.cluster.tasks.values())
        if task.owner == call.caller.auth_id or call.allowed(f"/nodes/{task.node}", "Sys.Audit")
    ]
    items: list[dict[str, Any]] = []
    for task in found[:_SHOWN_TASKS]:
        item = {"upid": task.upid, "node": task.node, "type": task.type, "id": task.id, "starttime": task.starttime}
        if task.endtime is not None:
            item |= {"endtime": task.endtime, "status": task.exitstatus, "saved": "1"}
        items.append(item | shown_user(task.owner))
    return items


@route("GET", "/cluster/mapping/pci")
async def pci_mappings(call: Call) -> list[dict[str, Any]]:
    """The mapped PCI devices; with `check-node` their state on that node."""
    node = call.text("check-node")
    items: list[dict[str, Any]] = []
    for mapping in call.cluster.mappings.values():
        path = f"/mapping/pci/{mapping.name}"
        if not call.allowed(path, "Mapping.Audit", "Mapping.Use", "Mapping.Modify", any_of=True):
            continue
        lines = [f"node={name},path={path},id={mapping.vendor_device}" for name, path in mapping.paths.items()]
        item: dict[str, Any] = {"id": mapping.name, "description": mapping.description, "map": lines}
        if node and node not in mapping.paths:
            item["checks"] = [{"severity": "warning", "message": f"No mapping for node {node}."}]
        elif node:
            item["checks"] = []
        items.append(item)
    return items


@route("GET", "/pools")
async def pools(call: Call) -> list[dict[str, Any]]:
    """The pools; with `poolid` its members too."""
    wanted = call.text("poolid")
    if wanted and wanted not in call.cluster.pools:
        raise PveError(f"pool '{wanted}' does not exist")
    items: list[dict[str, Any]] = []
    for pool in call.cluster.pools.values():
        if wanted in {"", pool.name} and call.allowed(f"/pool/{pool.name}", "Pool.Audit"):
            item: dict[str, Any] = {"poolid": pool.name} | ({"comment": pool.comment} if pool.comment else {})
            if wanted:
                item["members"] = [vm for vm in _vm_resources(call.site) if vm.get("pool") == pool.name]
            items.append(item)
    return items
