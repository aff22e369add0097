"""Storages as a node sees them: list, status, content (proxmox.md a2; source: pve-storage 8.3 API2/Storage)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.disks import check_volume
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Cluster, Storage
    from pvenix_lab.site.pve.volumes import Volume

_STORAGE = "/nodes/{node}/storage"


def usage(cluster: Cluster, storage: Storage, node: str | None = None) -> dict[str, int]:
    """`total`, `used` and `avail` in bytes; of a local storage on one node."""
    return volumes.room(cluster, storage, node)


def _entry(cluster: Cluster, storage: Storage, node: str) -> dict[str, Any]:
    reachable = storage.enabled and storage.active
    figures = usage(cluster, storage, node) if reachable else dict.fromkeys(("total", "used", "avail"), 0)
    return {
        **figures,
        "type": storage.type,
        "content": ",".join(storage.content),
        "shared": 1 if storage.shared else 0,
        "enabled": 1 if storage.enabled else 0,
        "active": 1 if reachable else 0,
    }


@route("GET", _STORAGE)
async def storages(call: Call) -> list[dict[str, Any]]:
    """The storages of the node that the caller may see and that hold the wanted content; with `target` those of both nodes."""
    wanted, node = set(split_list(call.text("content"))), call.text("node")
    result: list[dict[str, Any]] = []
    for storage in call.cluster.storages.values():
        seen = call.allowed(f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True)
        if not seen or node not in storage.nodes or not wanted <= set(storage.content):
            continue
        if call.text("storage", storage.name) != storage.name or (call.flag("enabled") and not storage.enabled):
            continue
        if "target" in call.params and (call.text("target") not in storage.nodes or not storage.shared):
            continue
        entry = _entry(call.cluster, storage, node)
        share = {"used_fraction": entry["used"] / entry["total"]} if entry["total"] else {}
        result.append(entry | {"storage": storage.name} | share)
    return result


@route("GET", _STORAGE + "/{storage}")
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a storage."""
    names = (
        "content",
        "download-url",
        "file-restore",
        "import-metadata",
        "prunebackups",
        "rrd",
        "rrddata",
        "status",
        "upload",
    )
    return [{"subdir": name} for name in names]


@route("GET", _STORAGE + "/{storage}/status")
async def status(call: Call) -> dict[str, Any]:
    """Type, content and room of one storage."""
    name, node = call.text("storage"), call.text("node")
    storage = call.cluster.storages.get(name)
    if storage is None or node not in storage.nodes:
        raise ParameterError({"storage": "No such storage."})
    return _entry(call.cluster, storage, node)


@route("GET", _STORAGE + "/{storage}/content")
async def content(call: Call) -> list[dict[str, Any]]:
    """The volumes of a storage that the caller may use, of one VM or one kind if that is asked."""
    storage, node = call.storage(), call.text("node")
    if not storage.active:
        raise PveError(f"storage '{storage.name}' is not online")
    result: list[dict[str, Any]] = []
    may_see: dict[tuple[str, int | None], bool] = {}
    for volume in volumes.on_storage(call.cluster, storage, node):
        if "vmid" in call.params and volume.vmid != call.vmid:
            continue
        if call.text("content", volume.content) != volume.content:
            continue
        kind = (volume.content, volume.vmid)
        if kind not in may_see:
            may_see[kind] = _visible(call, volume)
        if may_see[kind]:
            result.append(shown(volume))
    return result


def _visible(call: Call, volume: Volume) -> bool:
    try:
        check_volume(call, None, volume.volid)
    except PveError:
        return False
    return True


def shown(volume: Volume) -> dict[str, Any]:
    """A volume as the listings show it; of a disk also what it takes and hangs from."""
    result: dict[str, Any] = {"volid": volume.volid, "content": volume.content, "format": _format(volume)}
    result |= {"size": volume.size, "ctime": volume.ctime}
    if volume.vmid is not None:
        result["vmid"] = volume.vmid
    if volume.content == "images":
        result |= {"used": volume.used, "parent": volume.parent}
    if volume.content == "backup":
        result["subtype"] = "qemu"
        result |= {"protected": 1} if volume.protected else {}
        result |= {"notes": volume.notes} if volume.notes else {}
    return result


def _format(volume: Volume) -> str:
    if volume.content == "backup":
        return volume.name.partition(".")[2]
    return "iso" if volume.content == "iso" else volume.format
