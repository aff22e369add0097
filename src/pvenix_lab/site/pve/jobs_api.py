"""Backup and replication jobs, high availability, mappings and networks: the cluster's configuration (schema of 8.4.5 and 9.2.11).

They are kept and shown; the VM handlers look at replication, backup jobs, high availability and mappings.
"""

from __future__ import annotations

import re
from typing import Any

from pvenix_lab.site.pve import ha_manager
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.cluster import LOCAL_NODE
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.sections import Kind, register
from pvenix_lab.site.pve.vm import new_uuid

_HA = "/cluster/ha"
_BACKUP = "/cluster/backup"


def _visible_mapping(kind: str) -> Any:
    def visible(call: Call, name: str) -> bool:
        privileges = ("Mapping.Audit", "Mapping.Use", "Mapping.Modify")
        return call.allowed(f"/mapping/{kind}/{name}", *privileges, any_of=True)

    return visible


def _visible_zone(call: Call, zone: str) -> bool:
    return call.allowed(f"/sdn/zones/{zone}", "SDN.Audit", "SDN.Allocate", any_of=True)


def _visible_vnet(call: Call, vnet: str) -> bool:
    zone = call.cluster.sections["sdn/vnets"][vnet].get("zone", "localnetwork")
    return call.allowed(f"/sdn/zones/{zone}/{vnet}", "SDN.Audit", "SDN.Allocate", any_of=True)


def _visible_replication(call: Call, name: str) -> bool:
    return call.allowed(f"/vms/{name.partition('-')[0]}", "VM.Audit")


def _complete_replication(call: Call, name: str, entry: dict[str, Any]) -> None:
    guest, _, number = name.partition("-")
    vm = call.cluster.vms.get(int(guest))
    if vm is None:
        raise PveError(f"unable to find guest {guest}")
    if entry.get("target") == vm.node:
        raise ParameterError({"target": "Source and target are the same."})
    entry |= {"guest": int(guest), "jobnum": int(number)}


def _complete_group(call: Call, _name: str, _entry: dict[str, Any]) -> None:
    if call.flavour is Flavour.PVE_9_2:
        raise PveError("cannot create group: ha groups have been migrated to rules")


def _complete_resource(call: Call, name: str, entry: dict[str, Any]) -> None:
    number = re.fullmatch(r"vm:(\d+)", name)
    if number is None or int(number[1]) not in call.cluster.vms:
        raise PveError(f"cannot add service '{name}': no such VM/CT")
    if "group" in entry and call.flavour is Flavour.PVE_9_2:
        raise PveError("invalid parameter 'group': ha groups have been migrated to rules")
    entry.setdefault("state", "started")
    entry.setdefault("type", "vm")


def _complete_job(_call: Call, _name: str, entry: dict[str, Any]) -> None:
    entry.setdefault("enabled", 1)
    entry.setdefault("type", "vzdump")


def _job_id(call: Call) -> str:
    return f"backup-{new_uuid(call.site.rng)[:13]}"


def _kind(path: str, section: str, key: str, noun: str, **more: Any) -> Kind:
    missing = more.pop("missing", f"no such {noun} '{{}}'")
    return Kind(path=path, section=section, key=key, missing=missing, taken=f"{noun} '{{}}' already defined", **more)


for _defined in (
    _kind(_BACKUP, "jobs", "id", "vzdump job", missing="No such job '{}'", complete=_complete_job, new_id=_job_id),
    _kind(f"{_HA}/groups", "ha/groups", "group", "ha group", complete=_complete_group),
    _kind(f"{_HA}/rules", "ha/rules", "rule", "HA rule"),
    _kind(
        f"{_HA}/resources",
        "ha/resources",
        "sid",
        "resource ID",
        complete=_complete_resource,
        changed=ha_manager.changed,
        spelt=ha_manager.service_id,
    ),
    _kind(
        "/cluster/replication",
        "replication",
        "id",
        "replication job",
        visible=_visible_replication,
        complete=_complete_replication,
    ),
    _kind("/cluster/mapping/usb", "mapping/usb", "id", "USB mapping", visible=_visible_mapping("usb")),
    _kind("/cluster/mapping/dir", "mapping/dir", "id", "directory mapping", visible=_visible_mapping("dir")),
    _kind("/cluster/sdn/zones", "sdn/zones", "zone", "sdn zone object ID", visible=_visible_zone),
    _kind("/cluster/sdn/vnets", "sdn/vnets", "vnet", "sdn vnet object ID", visible=_visible_vnet),
):
    register(_defined)


@route("GET", "/cluster/mapping")
async def mapping_index(_call: Call) -> list[dict[str, str]]:
    """The kinds of mappings."""
    return [{"name": name} for name in ("dir", "pci", "usb")]


@route("GET", "/cluster/backup-info")
async def backup_info(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"subdir": "not-backed-up"}]


@route("GET", "/cluster/backup-info/not-backed-up")
async def not_backed_up(call: Call) -> list[dict[str, Any]]:
    """The VMs that no enabled job covers."""
    jobs = [job for job in call.cluster.sections.get("jobs", {}).values() if job.get("enabled", 1)]
    missed = [vm for vm in call.cluster.vms.values() if not any(_covers(job, vm.vmid, vm.pool) for job in jobs)]
    return [{"vmid": vm.vmid, "type": "qemu", "name": vm.name} for vm in missed]


@route("GET", _BACKUP + "/{id}/included_volumes")
async def included_volumes(call: Call) -> dict[str, Any]:
    """The disks of a job, as a tree of VMs."""
    job = call.cluster.sections.get("jobs", {}).get(call.text("id"))
    if job is None:
        raise ParameterError({"id": f"No such job '{call.text('id')}'"})
    children = [
        {
            "id": vm.vmid,
            "name": vm.name,
            "type": "qemu",
            "children": [
                {"id": key, "name": disk["file"], "included": int(disk.get("backup") != "0"), "reason": "enabled"}
                for key, disk in vm.disks().items()
                if disk.get("media") != "cdrom"
            ],
        }
        for vm in call.cluster.vms.values()
        if _covers(job, vm.vmid, vm.pool)
    ]
    return {"children": children}


def _covers(job: dict[str, Any], vmid: int, pool: str | None) -> bool:
    if job.get("all"):
        return str(vmid) not in str(job.get("exclude", "")).split(",")
    return str(vmid) in str(job.get("vmid", "")).split(",") or (pool is not None and job.get("pool") == pool)


@route("GET", _HA)
async def ha_index(call: Call) -> list[dict[str, str]]:
    """The sub-directories; 9.2 has rules beside the groups."""
    rules = ("rules",) if call.flavour.value == "9.2" else ()
    return [{"id": name} for name in ("status", "resources", "groups", *rules)]


@route("GET", _HA + "/status")
async def ha_status_index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"name": name} for name in ("current", "manager_status")]


@route("GET", _HA + "/status/current")
async def ha_current(call: Call) -> list[dict[str, Any]]:
    """Quorum, manager, the nodes' local managers and the resources, each as one entry."""
    cluster, now = call.cluster, int(call.site.wall())
    quorum = {"id": "quorum", "type": "quorum", "node": LOCAL_NODE, "quorate": int(cluster.quorate)}
    quorum["status"] = "OK" if cluster.quorate else "No quorum on this node!"
    resources = cluster.sections.get("ha/resources", {})
    if not resources:
        return [quorum]
    result = [quorum, _ha_entry("master", LOCAL_NODE, "active", now)]
    states = {node.name: "active" if node.online else "old timestamp - dead?" for node in cluster.nodes.values()}
    result += [_ha_entry("lrm", name, state, now) for name, state in states.items()]
    for sid, entry in resources.items():
        vm = cluster.vms.get(int(sid.partition(":")[2]))
        state = entry.get("state", "started")
        place = {"node": vm.node if vm else "", "sid": sid, "state": state, "crm_state": state, "request_state": state}
        status = {"status": f"{sid} ({place['node']}, {state})"}
        result.append({"id": f"service:{sid}", "type": "service", **place, **status})
    return result


def _ha_entry(kind: str, node: str, state: str, now: int) -> dict[str, Any]:
    name = kind if kind == "master" else f"{kind}:{node}"
    status = f"{node} ({state}, timestamp {now})"
    return {"id": name, "type": kind, "node": node, "status": status, "timestamp": now}


@route("GET", _HA + "/status/manager_status")
async def manager_status(call: Call) -> dict[str, Any]:
    """The manager's own view, with the quorum as the local node sees it."""
    nodes = {node.name: "online" if node.online else "unknown" for node in call.cluster.nodes.values()}
    return {
        "manager_status": {"master_node": LOCAL_NODE, "node_status": nodes, "timestamp": int(call.site.wall())},
        "quorum": {"node": LOCAL_NODE, "quorate": str(int(call.cluster.quorate))},
    }
