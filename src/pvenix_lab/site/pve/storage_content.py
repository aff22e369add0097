"""Single volumes of a storage: allocate, show, note, delete (F33; source: pve-storage 8.3 API2/Storage/Content.pm)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.disks import check_volume
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.sizes import GIB, KIB, MIB
from pvenix_lab.site.pve.storage import shown
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.volumes import FILE_TYPES, Volume

_CONTENT = "/nodes/{node}/storage/{storage}/content"
_ONE = _CONTENT + "/{volume}"
_SIZE = re.compile(r"(\d+)([MG]?)")
_UNIT = {"": KIB, "M": MIB, "G": GIB}
_EXTENSION = re.compile(r".+\.(raw|qcow2|vmdk)")
_DIRECTORIES = {"iso": "template/iso", "vztmpl": "template/cache", "backup": "dump", "images": "images"}


@route("POST", _CONTENT)
async def allocate(call: Call) -> str:
    """Make a disk for a VM; the answer is its volume id. Sizes without unit are KiB."""
    name, text = call.text("filename"), call.text("size")
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ParameterError({"size": f"unable to parse size '{text}'"})
    fmt = call.text("format") or None
    extension = _EXTENSION.fullmatch(name)
    if extension is not None:
        if fmt and fmt != extension[1]:
            raise ParameterError({"format": f"different storage formats ({fmt} != {extension[1]})"})
        fmt = extension[1]
    storage = call.storage()
    if re.match(rf"(?:vm|base)-{call.vmid}-", name) is None:
        raise PveError(f"illegal name '{name}' - should be 'vm-{call.vmid}-*'")
    whole = f"{call.vmid}/{name}" if storage.type in FILE_TYPES else name
    size = int(found[1]) * _UNIT[found[2]]
    now = int(call.site.wall())
    volume = volumes.allocate(call.cluster, storage, call.text("node"), call.vmid, size, fmt=fmt, name=whole, now=now)
    return volume.volid


def volid_of(call: Call) -> str:
    """The volume id of the path, with or without its storage. Raises PveError if the two storages differ."""
    storage, volume = call.text("storage"), call.text("volume")
    home, found, _ = volume.partition(":")
    if found and storage and home != storage:
        raise PveError(f"storage ID mismatch ({home} != {storage})")
    if not found and not storage:
        raise ParameterError({"volume": "no storage specified - incomplete volume ID"})
    return volume if found else f"{storage}:{volume}"


def _volume(call: Call) -> Volume:
    volid = volid_of(call)
    check_volume(call, None, volid)
    call.storage()
    return volumes.existing(call.cluster, call.text("node"), volid)


def path_of(call: Call, volume: Volume) -> str:
    """Where a volume is on the node."""
    storage = call.cluster.storages[volume.storage]
    base = str(storage.settings.get("path", "/var/lib/vz"))
    if storage.type not in FILE_TYPES:
        return f"/dev/{'pve' if storage.type == 'lvmthin' else storage.name}/{volume.name.rpartition('/')[2]}"
    directory = _DIRECTORIES.get(volume.content, volume.content)
    return f"{base}/{directory}/{volume.name if volume.content == 'images' else volume.name.partition('/')[2]}"


@route("GET", _ONE)
async def read(call: Call) -> dict[str, Any]:
    """Path, size and format of a volume."""
    volume = _volume(call)
    entry = shown(volume)
    result = {"path": path_of(call, volume), "size": volume.size, "used": volume.used, "format": entry["format"]}
    if volume.content == "backup":
        result |= {"protected": 1 if volume.protected else 0} | ({"notes": volume.notes} if volume.notes else {})
    return result


@route("PUT", _ONE)
async def update(call: Call) -> None:
    """Note something on a backup, or protect it."""
    volume = _volume(call)
    for name in ("notes", "protected"):
        if name in call.params and volume.content != "backup":
            raise PveError(f"attribute '{name}' is not supported for storage type or content")
    if "notes" in call.params:
        volume.notes = call.text("notes")
    if "protected" in call.params:
        volume.protected = call.flag("protected")


@route("DELETE", _ONE)
async def delete(call: Call) -> str | None:
    """Delete a volume in a task; with `delay` nothing comes back if it is gone by then."""
    volid, node = volid_of(call), call.text("node")
    storage, name = call.storage(), volid.partition(":")[2]
    owner, kind = volumes.owner_of(name), volumes.content_of(name)
    if kind == "backup" and owner is not None:
        call.require(f"/storage/{storage.name}", "Datastore.AllocateSpace")
        call.require(f"/vms/{owner}", "VM.Backup")
    else:
        call.require(f"/storage/{storage.name}", "Datastore.Allocate")

    async def worker(task: Task) -> None:
        volumes.free(call.cluster, volumes.existing(call.cluster, node, volid))
        task.log(f"Removed volume '{volid}'")

    identity = f"{owner}@{storage.name}" if owner is not None else storage.name
    upid = launch(call, "imgdel", worker, identity=identity)
    return await _gone(call, upid)


async def _gone(call: Call, upid: str) -> str | None:
    task = call.cluster.tasks[upid]
    if call.number("delay") and task.job is not None:
        await asyncio.wait([task.job], timeout=call.number("delay"))
    if not call.number("delay") or task.exitstatus is None:
        return upid
    if task.exitstatus != "OK":
        raise PveError(task.exitstatus)
    return None
