"""Answers that tell of tasks, jobs and snapshots as our values."""

from __future__ import annotations

import re

from pvenix.adapters.pve.answers import fields, known_node, number, rows, scalar, text
from pvenix.adapters.pve.transport import BadAnswer
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import BackupJob, MigrationCheck, ReplicationJob, TaskState, VmSnapshot

_MADE_ANEW = re.compile(r"vm-[0-9]+-cloudinit")
"""A cloud-init drive is a CD-ROM that is generated on the other node (QemuMigrate.pm, scan_local_volumes)."""
_WHAT = {"unavailable_storages": "storage", "unavailable-resources": "device"}


def task_states(answer: object) -> tuple[TaskState, ...]:
    """The answer of `/nodes/<node>/tasks`, newest first; a task that runs has no end, and no `status` or `RUNNING`."""
    newest_first = sorted(rows(answer), key=lambda row: -number(row, "starttime", 0))
    return tuple(
        TaskState(
            upid=text(row, "upid"),
            kind=sanitise(text(row, "type", "")),
            user=sanitise(text(row, "user", "")),
            began_at=number(row, "starttime", 0),
            running="endtime" not in row,
            exit_text=sanitise(text(row, "status", "")) if "endtime" in row else "",
        )
        for row in newest_first
    )


def snapshots(answer: object) -> tuple[VmSnapshot, ...]:
    """The answer of `/nodes/<node>/qemu/<vmid>/snapshot` in the order of descent, without the present."""
    found = {
        text(row, "name"): VmSnapshot(
            name=text(row, "name"),
            description=sanitise(text(row, "description", "")).rstrip("\n"),
            parent=text(row, "parent", ""),
            taken_at=number(row, "snaptime", 0),
            memory=number(row, "vmstate", 0) == 1,
            unfinished=sanitise(text(row, "snapstate", "")),
        )
        for row in rows(answer)
        if row.get("name") != "current"
    }

    def depth(one: VmSnapshot) -> int:
        seen = {one.name}
        while one.parent in found and one.parent not in seen:
            one = found[one.parent]
            seen.add(one.name)
        return len(seen)

    return tuple(sorted(found.values(), key=lambda one: (depth(one), one.taken_at, one.name)))


def backup_jobs(answer: object) -> tuple[BackupJob, ...]:
    """The answer of `/cluster/backup`."""
    return tuple(
        BackupJob(
            id=text(row, "id"),
            vmids=_ids(text(row, "vmid", "")),
            everything=text(row, "all", "0") == "1",
            excluded=_ids(text(row, "exclude", "")),
            pool=text(row, "pool", ""),
            storage=text(row, "storage", ""),
            schedule=sanitise(text(row, "schedule", "")),
            enabled=text(row, "enabled", "1") == "1",
        )
        for row in rows(answer)
    )


def replication_jobs(answer: object) -> tuple[ReplicationJob, ...]:
    """The answer of `/cluster/replication`."""
    return tuple(
        ReplicationJob(
            id=text(row, "id"),
            vmid=number(row, "guest"),
            target=known_node(text(row, "target")),
            schedule=sanitise(text(row, "schedule", "*/15")),
        )
        for row in rows(answer)
    )


def ha_resources(answer: object) -> dict[int, str]:
    """The answer of `/cluster/ha/resources`: `sid` is `vm:<vmid>`."""
    found = {}
    for row in rows(answer):
        kind, _, number_text = text(fields(row), "sid").partition(":")
        if kind == "vm":
            if not number_text.isdigit():
                raise BadAnswer(f"a VM id was expected in sid {number_text[:20]!r}")
            found[int(number_text)] = text(row, "state", "started")
    return found


def migration_check(answer: object) -> MigrationCheck:
    """The answer of `GET /nodes/<node>/qemu/<vmid>/migrate` (qemu-server, migrate_vm_precondition).

    `allowed_nodes` is missing for a VM that runs before 8.3; mapped devices are told by name there, by key since 8.4.
    """
    row = fields(answer)
    disks = [(text(disk, "volid"), text(disk, "cdrom", "0") == "1") for disk in rows(row.get("local_disks") or [])]
    bound = _texts(row.get("local_resources"))
    by_key = tuple(sorted(fields(row.get("mapped-resource-info") or {})))
    return MigrationCheck(
        running=text(row, "running", "0") == "1",
        allowed=tuple(known_node(name) for name in _texts(row.get("allowed_nodes"))),
        refused={known_node(name): _why_not(why) for name, why in fields(row.get("not_allowed_nodes") or {}).items()},
        local_disks=tuple(sorted(volume for volume, image in disks if not image)),
        local_images=tuple(sorted(volume for volume, image in disks if image and not _MADE_ANEW.search(volume))),
        devices=(*bound, *(by_key or _texts(row.get("mapped-resources")))),
        bound=bound,
    )


def _why_not(why: object) -> str:
    """`no storage a, b; no hostpci0` of a node that cannot take the VM."""
    parts = [f"no {_WHAT.get(key, key)} {', '.join(_texts(missing))}" for key, missing in sorted(fields(why).items())]
    return "; ".join(parts)


def _texts(answer: object) -> tuple[str, ...]:
    listed = answer if isinstance(answer, list) else []
    return tuple(sanitise(scalar(each, "list")) for each in listed)


def _ids(listed: str) -> tuple[int, ...]:
    words = listed.replace(";", ",").replace(" ", ",").split(",")
    return tuple(sorted(int(word) for word in words if word.isdigit()))
