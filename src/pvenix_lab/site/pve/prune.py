"""Which backups a retention keeps, and removing the others (source: pve-storage 8.3 Storage.pm prune_mark_backup_group)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.volumes import Volume

_PRUNE = "/nodes/{node}/storage/{storage}/prunebackups"
_PERIODS = {
    "keep-hourly": "%Y-%m-%d %H",
    "keep-daily": "%Y-%m-%d",
    "keep-weekly": "%G-%V",
    "keep-monthly": "%Y-%m",
    "keep-yearly": "%Y",
}


def marks(group: list[Volume], keep: dict[str, str]) -> dict[str, str]:
    """`keep`, `remove` or `protected` for every backup of one VM by volume id; without any number all are kept."""
    wanted = {name: int(number) for name, number in keep.items() if name != "keep-all" and int(number) > 0}
    result = {volume.volid: "protected" for volume in group if volume.protected}
    newest = sorted((v for v in group if not v.protected), key=lambda volume: -volume.ctime)
    if keep.get("keep-all") == "1" or not wanted:
        return result | {volume.volid: "keep" for volume in newest}
    for volume in newest[: wanted.get("keep-last", 0)]:
        result[volume.volid] = "keep"
    for name, form in _PERIODS.items():
        _mark_period(newest, wanted.get(name, 0), form, result)
    return {volume.volid: "remove" for volume in newest} | result


def _mark_period(newest: list[Volume], number: int, form: str, result: dict[str, str]) -> None:
    """Keep the newest backup of each of so many periods that no kept backup stands for yet."""
    covered = {_label(v, form) for v in newest if result.get(v.volid) == "keep"}
    chosen: set[str] = set()
    for volume in newest:
        label = _label(volume, form)
        if volume.volid in result or label in covered or label in chosen:
            continue
        if len(chosen) >= number:
            return
        chosen.add(label)
        result[volume.volid] = "keep"


def _label(volume: Volume, form: str) -> str:
    return time.strftime(form, time.gmtime(volume.ctime))


def _marked(call: Call) -> list[tuple[Volume, str]]:
    storage = call.storage()
    if "backup" not in storage.content:
        raise PveError(f"storage '{storage.name}' does not support backups")
    keep = parse_properties(call.text("prune-backups", str(storage.settings.get("prune-backups", ""))))
    if not keep:
        raise PveError(f"no prune-backups options configured for storage '{storage.name}'")
    found = [v for v in volumes.on_storage(call.cluster, storage, call.text("node")) if v.content == "backup"]
    if "vmid" in call.params:
        found = [volume for volume in found if volume.vmid == call.vmid]
    result: list[tuple[Volume, str]] = []
    for vmid in sorted({volume.vmid or 0 for volume in found}):
        group = [volume for volume in found if (volume.vmid or 0) == vmid]
        by_id = marks(group, keep)
        result += [(volume, by_id[volume.volid]) for volume in sorted(group, key=lambda v: v.ctime)]
    return result


@route("GET", _PRUNE)
async def dry_run(call: Call) -> list[dict[str, Any]]:
    """What a prune would keep and remove."""
    return [
        {"volid": volume.volid, "ctime": volume.ctime, "mark": mark, "type": "qemu", "vmid": volume.vmid}
        for volume, mark in _marked(call)
    ]


@route("DELETE", _PRUNE)
async def prune(call: Call) -> str:
    """Remove what the retention does not keep, in a task."""
    storage = call.text("storage")
    if "vmid" in call.params:
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
        call.require(f"/vms/{call.vmid}", "VM.Backup")
    else:
        call.require(f"/storage/{storage}", "Datastore.Allocate")
    _marked(call)

    async def worker(task: Task) -> None:
        for volume, mark in _marked(call):
            task.log(f"{mark}: {volume.volid}")
            if mark == "remove":
                volumes.free(call.cluster, volume)

    identity = f"{call.vmid}@{storage}" if "vmid" in call.params else storage
    return launch(call, "prunebackups", worker, identity=identity)
