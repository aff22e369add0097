"""Mapped PCI devices: devices of the nodes under one name (source: pve-manager API2/Cluster/Mapping/PCI.pm)."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.cluster import PciMapping
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.vm import parse_properties

_PCI = "/cluster/mapping/pci"
_ONE = _PCI + "/{id}"
_PRIVILEGES = ("Mapping.Audit", "Mapping.Use", "Mapping.Modify")


@route("GET", _PCI)
async def mappings(call: Call) -> list[dict[str, Any]]:
    """The mappings that the caller may see; with `check-node` their state on that node."""
    node = call.text("check-node")
    items: list[dict[str, Any]] = []
    for mapping in call.cluster.mappings.values():
        if not call.allowed(f"/mapping/pci/{mapping.name}", *_PRIVILEGES, any_of=True):
            continue
        item = {"id": mapping.name, **_shown(mapping)}
        if node and node not in mapping.paths:
            item["checks"] = [{"severity": "warning", "message": f"No mapping for node {node}."}]
        elif node:
            item["checks"] = []
        items.append(item)
    return items


def _shown(mapping: PciMapping) -> dict[str, Any]:
    lines = [f"node={name},path={path},id={mapping.vendor_device}" for name, path in mapping.paths.items()]
    return {"description": mapping.description, "map": lines}


@route("POST", _PCI)
async def create(call: Call) -> None:
    """A new mapping."""
    name = call.text("id")
    if name in call.cluster.mappings:
        raise PveError(f"PCI ID '{name}' already defined")
    call.cluster.mappings[name] = _mapping(call, PciMapping(name=name, description="", paths={}, vendor_device=""))


@route("GET", _ONE)
async def read(call: Call) -> dict[str, Any]:
    """One mapping."""
    return _shown(_named(call))


@route("PUT", _ONE)
async def update(call: Call) -> None:
    """Other devices or another description."""
    _mapping(call, _named(call))


@route("DELETE", _ONE)
async def delete(call: Call) -> None:
    """Remove a mapping; VMs that use it do not start any more. One that is not there is fine."""
    call.cluster.mappings.pop(call.text("id"), None)


def _named(call: Call) -> PciMapping:
    mapping = call.cluster.mappings.get(call.text("id"))
    if mapping is None:
        raise PveError(f"mapping '{call.text('id')}' not found")
    return mapping


def _mapping(call: Call, mapping: PciMapping) -> PciMapping:
    entries = [parse_properties(text) for text in call.items("map")]
    for entry in entries:
        if not {"node", "path", "id"} <= entry.keys():
            raise ParameterError({"map[0]": "invalid format - format error\nmap[0].node: property is missing\n"})
    if entries:
        mapping.paths = {entry["node"]: entry["path"] for entry in entries}
        mapping.vendor_device = entries[0]["id"]
    mapping.description = call.text("description", mapping.description)
    return mapping
