"""Storages: list, status, content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.options import size_gib
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Cluster, Storage

_STORAGE = "/nodes/{node}/storage"
_GIB = 1024**3
_FILLED = 0.1
"""Share of a thin disk that counts as written: a constant, nothing here measures."""


def volumes(cluster: Cluster, storage: Storage) -> list[dict[str, Any]]:
    """The VM disks on a storage; a base volume and its linked clones are entries of their own."""
    result: list[dict[str, Any]] = []
    for vm in cluster.vms.values():
        for disk in vm.disks().values():
            home, found, name = disk.get("file", "").partition(":")
            if not found or home != storage.name or name.startswith("iso/"):
                continue
            size = int(size_gib(disk.get("size", "4M")) * _GIB)
            parent, linked, _ = name.partition("/")
            entry = {"volid": disk["file"], "content": "images", "format": "raw", "size": size, "vmid": vm.vmid}
            ctime = int(parse_properties(str(vm.config.get("meta", ""))).get("ctime", "0"))
            entry |= {"ctime": ctime, "used": int(size * _FILLED), "parent": parent if linked else None}
            result.append(entry)
    return result


def usage(cluster: Cluster, storage: Storage) -> dict[str, int]:
    """`total`, `used` and `avail` in bytes."""
    disks = sum(entry["used"] for entry in volumes(cluster, storage))
    used = min(storage.total, storage.base_used + disks)
    return {"total": storage.total, "used": used, "avail": storage.total - used}


def _entry(cluster: Cluster, storage: Storage) -> dict[str, Any]:
    return {
        **usage(cluster, storage),
        "type": storage.type,
        "content": ",".join(storage.content),
        "shared": 1 if storage.shared else 0,
        "enabled": 1,
        "active": 1,
    }


@route("GET", _STORAGE)
async def storages(call: Call) -> list[dict[str, Any]]:
    """The storages of the node that the caller may see and that hold the wanted content."""
    wanted = set(split_list(call.text("content")))
    node = call.text("target", call.text("node"))
    result: list[dict[str, Any]] = []
    for storage in call.cluster.storages.values():
        if not call.allowed(f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True):
            continue
        if node not in storage.nodes or not wanted <= set(storage.content):
            continue
        if call.text("storage", storage.name) != storage.name:
            continue
        entry = _entry(call.cluster, storage)
        result.append(entry | {"storage": storage.name, "used_fraction": entry["used"] / entry["total"]})
    return result


@route("GET", _STORAGE + "/{storage}/status")
async def status(call: Call) -> dict[str, Any]:
    """Type, content and room of one storage."""
    return _entry(call.cluster, call.storage())


@route("GET", _STORAGE + "/{storage}/content")
async def content(call: Call) -> list[dict[str, Any]]:
    """The volumes of a storage."""
    entries = volumes(call.cluster, call.storage())
    if "vmid" in call.params:
        entries = [entry for entry in entries if entry["vmid"] == call.vmid]
    if "content" in call.params:
        entries = [entry for entry in entries if entry["content"] == call.text("content")]
    return entries
