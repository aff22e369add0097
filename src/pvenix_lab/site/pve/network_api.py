"""A node's interfaces and its part of the software-defined network (shapes recorded on 8.4.5)."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError

_NODE = "/nodes/{node}"


@route("GET", _NODE + "/network")
async def network(call: Call) -> list[dict[str, Any]]:
    """The node's bridges that the caller may use or see, the physical port under the first one; of one type if asked."""
    wanted, node = call.text("type"), call.node()
    bridges = {"", "bridge", "any_bridge", "any_local_bridge", "include_sdn"}
    ports = {"", "eth"} if call.allowed(f"/nodes/{node.name}", "Sys.Audit") else set()
    result: list[dict[str, Any]] = []
    for bridge in node.bridges if wanted in bridges else ():
        path = f"/sdn/zones/localnetwork/{bridge}"
        if call.allowed(path, "SDN.Audit", "SDN.Use", any_of=True):
            result.append({"iface": bridge, **_interface(call, bridge)})
    return [*result, _port()] if wanted in ports else result


def _port() -> dict[str, Any]:
    return {
        "iface": "eno1",
        "type": "eth",
        "active": 1,
        "exists": 1,
        "priority": 2,
        "families": ["inet"],
        "method": "manual",
        "method6": "manual",
    }


def _interface(call: Call, bridge: str) -> dict[str, Any]:
    node = call.node()
    number = node.bridges.index(bridge)
    first = number == 0
    return {
        "type": "bridge",
        "active": 1,
        "autostart": 1,
        "priority": 3 + number,
        "families": ["inet"],
        "method": "static" if first else "manual",
        "method6": "manual",
        "bridge_ports": "eno1" if first else "",
        "bridge_stp": "off",
        "bridge_fd": "0",
        **({"address": node.ip, "netmask": "24", "cidr": f"{node.ip}/24"} if first else {}),
    }


@route("GET", _NODE + "/network/{iface}")
async def interface(call: Call) -> dict[str, Any]:
    """One interface."""
    name = call.text("iface")
    if name == "eno1":
        return {key: value for key, value in _port().items() if key != "iface"}
    if name not in call.node().bridges:
        raise ParameterError({"iface": "interface does not exist"})
    return _interface(call, name)


@route("GET", _NODE + "/sdn")
async def sdn(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"subdir": "zones"}]


@route("GET", _NODE + "/sdn/zones")
async def zones(call: Call) -> list[dict[str, str]]:
    """The network zones on the node that the caller may see; without any zone defined there is still `localnetwork`."""
    names = ("localnetwork", *call.cluster.sections.get("sdn/zones", {}))
    seen = [name for name in names if call.allowed(f"/sdn/zones/{name}", "SDN.Audit", "SDN.Use", any_of=True)]
    return [{"zone": name, "status": "available"} for name in seen]


@route("GET", _NODE + "/sdn/zones/{zone}")
async def zone(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a zone."""
    return [{"subdir": "content"}]


@route("GET", _NODE + "/sdn/zones/{zone}/content")
async def zone_content(call: Call) -> list[dict[str, Any]]:
    """The networks of a zone: the bridges for `localnetwork`, else its vnets."""
    name = call.text("zone")
    vnets = call.cluster.sections.get("sdn/vnets", {})
    names = call.node().bridges if name == "localnetwork" else [v for v, e in vnets.items() if e.get("zone") == name]
    return [{"vnet": vnet, "status": "available"} for vnet in names]
