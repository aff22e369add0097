"""Cluster-wide calls: version, status, next free id, options, log, tasks, nodes of the configuration, pools."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.cluster import LOCAL_NODE
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.resources import vm_resources
from pvenix_lab.site.pve.tasks_api import owns, shown_user
from pvenix_lab.site.pve.vm import parse_properties

_FIRST_ID, _LAST_ID = 100, 1_000_000
_SHOWN_TASKS = 25
_SHOWN_LOG = 50
_INDEX = (
    *("replication", "metrics", "notifications", "config", "firewall", "backup", "backup-info", "ha", "acme", "ceph"),
    *("jobs", "mapping", "sdn", "log", "resources", "tasks", "options", "status", "nextid"),
)


@route("GET", "/version")
async def version(call: Call) -> dict[str, str]:
    """The version of the manager."""
    release = call.flavour.release
    return {"version": release.version, "release": call.flavour.value, "repoid": release.repoid}


@route("GET", "/cluster")
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"name": name} for name in _INDEX]


@route("GET", "/cluster/status")
async def status(call: Call) -> list[dict[str, Any]]:
    """The cluster and its nodes; `quorate` tells whether anything can be written."""
    cluster = call.cluster
    nodes = [
        {
            "type": "node",
            "id": f"node/{node.name}",
            "name": node.name,
            "nodeid": node.nodeid,
            "ip": node.ip,
            "online": int(node.online),
            "local": int(node.name == LOCAL_NODE),
            "level": "",
        }
        for node in cluster.nodes.values()
    ]
    whole = {"type": "cluster", "id": "cluster", "name": cluster.name, "nodes": len(nodes), "version": len(nodes)}
    return [whole | {"quorate": int(cluster.quorate)}, *nodes]


@route("GET", "/cluster/config/nodes")
async def config_nodes(call: Call) -> list[dict[str, str]]:
    """The nodes as the cluster's network configuration names them."""
    return [
        {"node": node.name, "name": node.name, "nodeid": str(node.nodeid), "ring0_addr": node.ip, "quorum_votes": "1"}
        for node in call.cluster.nodes.values()
    ]


@route("GET", "/cluster/nextid")
async def next_id(call: Call) -> str:
    """The lowest free id of the range that the options set, as text; it reserves nothing."""
    if "vmid" in call.params:
        if call.vmid in call.cluster.vms or call.vmid in call.cluster.containers:
            raise ParameterError({"vmid": f"VM {call.vmid} already exists"})
        return str(call.vmid)
    limits = parse_properties(str(call.cluster.options.get("next-id", "")))
    first, last = int(limits.get("lower", _FIRST_ID)), int(limits.get("upper", _LAST_ID))
    taken = call.cluster.vms.keys() | call.cluster.containers.keys()
    free = next((vmid for vmid in range(first, last) if vmid not in taken), None)
    if free is None:
        raise PveError(f"unable to get any free VMID in range [{first}, {last}]")
    return str(free)


@route("GET", "/cluster/options")
async def options(call: Call) -> dict[str, Any]:
    """The cluster's options: all for an auditor, else what every user interface needs."""
    shown = dict(call.cluster.options)
    if not call.allowed("/", "Sys.Audit"):
        shown = {name: shown[name] for name in ("console", "tag-style") if name in shown}
    tags = {vm.config["tags"] for vm in call.cluster.vms.values() if "tags" in vm.config}
    allowed = sorted({tag for text in tags for tag in str(text).split(";")})
    result = {name: parse_properties(str(value)) if name in _AS_OBJECT else value for name, value in shown.items()}
    return result | {"allowed-tags": allowed}


_AS_OBJECT = frozenset({"crs", "ha", "migration", "next-id", "notify", "tag-style", "user-tag-access"})
"""Options that are answered as objects though they are written as text (source: pve-manager API2/Cluster.pm)."""


@route("PUT", "/cluster/options")
async def set_options(call: Call) -> None:
    """Set or delete options."""
    for name in split_list(call.text("delete")):
        call.cluster.options.pop(name, None)
    call.cluster.options |= {name: value for name, value in call.params.items() if name != "delete"}


@route("GET", "/cluster/log")
async def log(call: Call) -> list[dict[str, Any]]:
    """The newest lines of the cluster's log: all for an auditor, else the caller's own."""
    lines = call.cluster.log
    if not call.allowed("/", "Sys.Syslog"):
        lines = [line for line in lines if line["user"] == call.caller.auth_id]
    return list(reversed(lines))[: call.number("max", _SHOWN_LOG)]


@route("GET", "/cluster/tasks")
async def tasks(call: Call) -> list[dict[str, Any]]:
    """The newest tasks of every node; a running one has neither `status` nor `endtime`."""
    found = [
        task
        for task in reversed(call.cluster.tasks.values())
        if owns(call.caller, task) or call.allowed(f"/nodes/{task.node}", "Sys.Audit")
    ]
    items: list[dict[str, Any]] = []
    for task in found[:_SHOWN_TASKS]:
        item: dict[str, Any] = {
            "upid": task.upid,
            "node": task.node,
            "type": task.type,
            "id": task.id,
            "starttime": task.starttime,
        }
        if task.endtime is not None:
            # a number for the one that was saved last, text for those read back from the file (recorded on 8.4.5)
            saved: int | str = "1" if any("saved" in earlier for earlier in items) else 1
            item |= {"endtime": task.endtime, "status": task.exitstatus, "saved": saved}
        items.append(item | shown_user(task.owner))
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
                item["members"] = [vm for vm in vm_resources(call) if vm.get("pool") == pool.name]
            items.append(item)
    return items
