"""Everything at a glance: `/cluster/resources`, as old as what the statistics daemons last sent around (proxmox.md a7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.nodes import entry as node_entry
from pvenix_lab.site.pve.qemu import statistics
from pvenix_lab.site.pve.storage import usage

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.vm import Vm

_FORGOTTEN_S = 300.0
"""After how long without news the cluster file system drops figures (a guess after pmxcfs status.c)."""


@route("GET", "/cluster/resources")
async def resources(call: Call) -> list[dict[str, Any]]:
    """Pools, VMs, nodes, storages and network zones that the caller may see, of one type or of all."""
    kind = call.text("type")
    items: list[dict[str, Any]] = []
    if kind in {"", "pool"}:
        pools = [pool for pool in call.cluster.pools if call.allowed(f"/pool/{pool}", "Pool.Audit")]
        items += [{"type": "pool", "id": f"/pool/{pool}", "pool": pool} for pool in pools]
    if kind in {"", "vm"}:
        items += vm_resources(call)
    if kind in {"", "node"}:
        items += [
            {**node_entry(call.site, node, visible=call.allowed(f"/nodes/{node.name}", "Sys.Audit")), "cgroup-mode": 2}
            for node in call.cluster.nodes.values()
        ]
    if kind in {"", "storage"}:
        items += _storages(call)
    zones = {"localnetwork": {}, **call.cluster.sections.get("sdn/zones", {})}
    if kind in {"", "sdn"}:
        items += [
            {"type": "sdn", "id": f"sdn/{node}/{zone}", "node": node, "sdn": zone, "status": "ok"}
            for zone in zones
            if call.allowed(f"/sdn/zones/{zone}", "SDN.Audit")
            for node in call.cluster.nodes
        ]
    return items


def vm_resources(call: Call) -> list[dict[str, Any]]:
    """The VMs and containers that the caller may see, those VMs of which no fresh figures came with status `unknown`."""
    _refresh(call.site)
    result: list[dict[str, Any]] = []
    for vm in call.cluster.vms.values():
        if not call.allowed(f"/vms/{vm.vmid}", "VM.Audit"):
            continue
        item = {"type": "qemu", "id": f"qemu/{vm.vmid}", "vmid": vm.vmid, "node": vm.node, "status": "unknown"}
        item |= {"template": 1 if vm.template else 0} | call.cluster.broadcast.get(vm.vmid, {})
        # these are read from the cluster file system, not from the broadcast
        fresh = {
            "tags": vm.config.get("tags"),
            "lock": vm.lock,
            "pool": vm.pool,
            "hastate": _ha_state(call.cluster, vm),
        }
        if vm.pool and not call.allowed(f"/pool/{vm.pool}", "Pool.Audit"):
            del fresh["pool"]
        result.append(item | {key: value for key, value in fresh.items() if value})
    result += [
        {"type": "lxc", "id": f"lxc/{ctid}", "vmid": ctid, "node": node, "name": f"CT{ctid}", "status": "running"}
        | {"template": 0}
        for ctid, node in call.cluster.containers.items()
        if call.allowed(f"/vms/{ctid}", "VM.Audit")
    ]
    return result


def _refresh(site: Site) -> None:
    """Let each node whose daemon runs send its figures again when the last ones are old; forget what is very old."""
    cluster, now = site.cluster, site.wall()
    for node in cluster.nodes.values():
        sent = cluster.broadcast_at.get(node.name, float("-inf"))
        mine = [vm for vm in cluster.vms.values() if vm.node == node.name]
        if node.online and node.statistics_up:
            if now - sent >= site.timings.broadcast_s * site.time_scale:
                cluster.broadcast_at[node.name] = now
                cluster.broadcast |= {vm.vmid: _figures(site, vm) for vm in mine if vm.lock != "clone"}
        elif now - sent >= _FORGOTTEN_S * site.time_scale:
            for vm in mine:
                cluster.broadcast.pop(vm.vmid, None)
    for gone in cluster.broadcast.keys() - cluster.vms.keys():
        del cluster.broadcast[gone]


def _figures(site: Site, vm: Vm) -> dict[str, Any]:
    figures = statistics(site, vm)
    for key in [key for key in figures if key in {"tags", "lock"} or key.startswith("pressure")]:
        del figures[key]
    return figures | {"maxcpu": int(vm.config.get("cores", 1)) * int(vm.config.get("sockets", 1))}


def _ha_state(cluster: Cluster, vm: Vm) -> str | None:
    entry = cluster.sections.get("ha/resources", {}).get(f"vm:{vm.vmid}")
    return entry.get("state", "started") if entry is not None else None


def _storages(call: Call) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for storage in call.cluster.storages.values():
        if not storage.enabled or not call.allowed(f"/storage/{storage.name}", "Datastore.Audit"):
            continue
        for name in storage.nodes:
            item: dict[str, Any] = {
                "type": "storage",
                "id": f"storage/{name}/{storage.name}",
                "node": name,
                "storage": storage.name,
                "plugintype": storage.type,
                "content": ",".join(storage.content),
                "shared": 1 if storage.shared else 0,
                "status": "unknown",
            }
            if storage.active and call.cluster.nodes[name].online:
                room = usage(call.cluster, storage, name)
                item |= {"status": "available", "maxdisk": room["total"], "disk": room["used"]}
            items.append(item)
    return items
