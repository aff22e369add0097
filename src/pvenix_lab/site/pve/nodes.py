"""Nodes: list and status (fields as recorded on 8.4.5, those of 9.2 as measured on 9.2.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.cluster import GIB
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.qemu import memory_bytes, processors

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Cluster, Node

_INDEX = (
    *("capabilities", "dns", "hardware", "hosts", "journal", "network", "qemu", "query-url-metadata", "replication"),
    *("report", "sdn", "status", "storage", "syslog", "tasks", "time", "version", "vzdump"),
)
_ROOT_DISK = 94 * GIB
_HOST_MEMORY = 4 * GIB
"""Memory that the node itself uses: a constant, nothing here measures."""


def usage(site: Site, node: Node) -> dict[str, Any]:
    """Processor, memory and disk of a node, the fields that every listing has."""
    vms = [vm for vm in site.cluster.vms.values() if vm.node == node.name and vm.running]
    return {
        "maxcpu": node.cpus,
        "cpu": round(0.01 + 0.01 * len(vms), 3),
        "maxmem": node.memory,
        "mem": min(node.memory, _HOST_MEMORY + sum(memory_bytes(vm) for vm in vms)),
        "maxdisk": _ROOT_DISK,
        "disk": _ROOT_DISK // 9,
        "uptime": int(site.wall() - node.started_at),
    }


def fit(cluster: Cluster) -> None:
    """Give every node what somebody buys who wants room for more guests: twice the memory of the running ones, half their cores."""
    for node in cluster.nodes.values():
        vms = [vm for vm in cluster.vms.values() if vm.node == node.name and vm.running]
        while node.memory < 2 * sum(memory_bytes(vm) for vm in vms):
            node.memory *= 2
        while node.cpus * 2 < sum(processors(vm) for vm in vms):
            node.cpus *= 2


def entry(site: Site, node: Node, *, visible: bool) -> dict[str, Any]:
    """A node as `/nodes` and `/cluster/resources` list it; usage only for a caller that may see it, and only while online."""
    result: dict[str, Any] = {"node": node.name, "type": "node", "id": f"node/{node.name}", "level": ""}
    if not node.online:
        return result | {"status": "offline"} | ({"maxcpu": node.cpus, "maxmem": node.memory} if visible else {})
    return result | {"status": "online"} | (usage(site, node) if visible else {})


@route("GET", "/nodes")
async def nodes(call: Call) -> list[dict[str, Any]]:
    """Every node, with the fingerprint of its certificate."""
    fingerprint = {"ssl_fingerprint": call.cluster.fingerprint}
    return [
        entry(call.site, node, visible=call.allowed(f"/nodes/{node.name}", "Sys.Audit")) | fingerprint
        for node in call.cluster.nodes.values()
    ]


@route("GET", "/nodes/{node}")
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"name": name} for name in _INDEX]


@route("GET", "/nodes/{node}/status")
async def status(call: Call) -> dict[str, Any]:
    """State of one node; the load averages are text, as in the real answer."""
    node, release = call.node(), call.flavour.release
    now = usage(call.site, node)
    nine = call.flavour is Flavour.PVE_9_2
    memory = {"total": node.memory, "used": now["mem"], "free": node.memory - now["mem"]}
    return {
        "uptime": now["uptime"],
        "cpu": now["cpu"],
        "wait": 0,
        "idle": 0,
        "loadavg": ["0.10", "0.12", "0.09"],
        "cpuinfo": _processors(node, nine=nine),
        "memory": memory | ({"available": memory["free"]} if nine else {}),
        "rootfs": {
            "total": _ROOT_DISK,
            "used": now["disk"],
            "free": _ROOT_DISK - now["disk"],
            "avail": _ROOT_DISK - now["disk"],
        },
        "swap": {"total": 0, "used": 0, "free": 0},
        "ksm": {"shared": 0},
        "boot-info": {"mode": "efi", "secureboot": 0},
        "pveversion": f"pve-manager/{release.version}/{release.repoid}",
        "kversion": f"Linux {release.kernel} #1 SMP PREEMPT_DYNAMIC",
        "current-kernel": {
            "sysname": "Linux",
            "release": release.kernel,
            "version": "#1 SMP PREEMPT_DYNAMIC",
            "machine": "x86_64",
        },
    }


def _processors(node: Node, *, nine: bool) -> dict[str, Any]:
    return {
        "cpus": node.cpus,
        "cores": node.cpus // 2,
        "sockets": 1,
        "model": "AMD EPYC",
        "mhz": "3500.000",
        "flags": "fpu vme pse tsc msr svm aes avx2 hypervisor",
        "user_hz": 100,
        "hvm": "1",
        **({"vendor": "AuthenticAMD", "family": "25"} if nine else {}),
    }
