"""What goes with a VM when it is destroyed, and what stands in the way of it.

Proxmox takes a destroyed VM out of every job that names it, and says nothing (`purge=1`: qemu-server API2/Qemu.pm
destroy_vm); whoever decides on a destruction is shown those jobs before.
"""

from __future__ import annotations

import re

from pvenix.engine.ports import BackupJob, VmConfig
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.snapshots import is_ours
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused
from pvenix.model.host import Host

_UNUSED = re.compile(r"unused[0-9]{1,3}")
_SHOWN = 4
"""How many names a line lists."""


async def consequences(world: World, found: Found) -> tuple[str, ...]:
    """What destroying the VM changes beside it, a line each; what may not be known is said, and never taken for nothing.

    Raises: Unreachable.
    """
    host = world.fleet.hosts.get(found.config.values.get("name", ""))
    blocked = obstacle(host, found) if host is not None else None
    return (
        *((f"refused as it is: {blocked}",) if blocked is not None else ()),
        *await _backup_lines(world, found),
        *await _replication_lines(world, found),
        *await _ha_lines(world, found),
        *await _snapshot_lines(world, found),
        *(f"{key} ({volume}) is detached, and is freed too" for key, volume in unused_in(found.config)),
        f"firewall rules of VM {found.vmid} and rights granted on /vms/{found.vmid} go with it",
        *((_backup_line(world, host, found),) if host is not None else ()),
    )


async def consequences_of(world: World, name: str) -> tuple[str, ...]:
    """As `consequences`, of the host's VM; says so when it has none.

    Raises: Refused when its VM may not be seen, Unreachable.
    """
    found = await world.vms.certain(name)
    return (f"{name} has no VM",) if found is None else await consequences(world, found)


def obstacle(host: Host, found: Found) -> Refused | None:
    """Why the VM must not be destroyed as it is, None when nothing forbids it."""
    if host.machine.proxmox.protect:
        return Refused(
            f"{host.name} is protected",
            hint=f"first: pvenix host edit {host.name} proxmox.protect=false",
            code="PVX0541",
        )
    if found.config.values.get("protection", "0") == "1":
        return Refused(
            f"VM {found.vmid} of {host.name} is protected at Proxmox",
            why="its option `protection` is set, and the inventory does not ask for it",
            hint=f"whoever set it clears it: Options > Protection, or `qm set {found.vmid} --protection 0` on {found.node}",
            code="PVX0570",
        )
    return _kept_disk(host, found)


def _kept_disk(host: Host, found: Found) -> Refused | None:
    """A disk to keep is freed with its VM, attached or detached; so it has to belong to another VM first."""
    kept = [disk.slot for disk in host.machine.proxmox.disks if disk.keep_on_destroy]
    present = [(slot, found.config.values[slot].partition(",")[0]) for slot in kept if slot in found.config.values]
    present += list(unused_in(found.config)) if kept else []
    if not present:
        return None
    slot, volume = present[0]
    may = "" if slot in kept else f", and may be what {kept[0]} was"
    return Refused(
        f"{slot} of {host.name} ({volume}) would be freed with its VM",
        why=f"{', '.join(kept)}: keep_on_destroy in the inventory{may}",
        hint=f"give it to another VM first: `qm disk move {found.vmid} {slot} --target-vmid <id> --target-disk unused0` on "
        f"{found.node}; or take keep_on_destroy out of the inventory",
        code="PVX0571",
    )


def unused_in(config: VmConfig) -> tuple[tuple[str, str], ...]:
    """Key and volume of the disks that are detached, and still belong to the VM."""
    return tuple(
        (key, value.partition(",")[0]) for key, value in sorted(config.values.items()) if _UNUSED.fullmatch(key)
    )


async def _backup_lines(world: World, found: Found) -> list[str]:
    try:
        jobs = await world.survey.backup_jobs()
    except Refused:
        return ["backup jobs: not known, the token may not list them (Sys.Audit on /); those that name it change"]
    pool = next((vm.pool for vm in await world.survey.vms() if vm.vmid == found.vmid), "")
    lines = [_backup_change(job, found, pool) for job in sorted(jobs, key=lambda job: job.id)]
    return [line for line in lines if line]


def _backup_change(job: BackupJob, found: Found, pool: str) -> str:
    """What becomes of a backup job (pve-guest-common PVE/VZDump/Plugin.pm: a list is shortened, and a job without one deleted)."""
    shown = f"backup job {job.id} ({job.schedule or 'no schedule'}, to {job.storage or 'no storage'})"
    if found.vmid in job.vmids:
        alone = len(job.vmids) == 1
        return f"{shown} names it: " + (
            "the job is deleted, it names no other" if alone else "it is taken off the list"
        )
    if found.vmid in job.excluded:
        return f"{shown} excludes it: the exclusion goes, whoever has the id next is backed up"
    if job.covers(found.vmid, pool):
        return f"{shown} covers it by {'all' if job.everything else f'pool {pool}'}: the job stays"
    return ""


async def _replication_lines(world: World, found: Found) -> list[str]:
    """A job is listed for whoever may see its VM, as we do."""
    jobs = await world.pve.replication_jobs()
    return [
        f"replication job {job.id} to {job.target} ({job.schedule}) is removed, with the copies there"
        for job in jobs
        if job.vmid == found.vmid
    ]


async def _ha_lines(world: World, found: Found) -> list[str]:
    state = (await world.pve.power(found.node, found.vmid)).ha
    return [f"HA resource vm:{found.vmid} (state {state}) is removed first"] if state else []


async def _snapshot_lines(world: World, found: Found) -> list[str]:
    snapshots, name = await world.pve.snapshots(found.node, found.vmid), found.config.values.get("name", "")
    if not snapshots:
        return []
    ours = sum(is_ours(world, name, each) for each in snapshots)
    listed = ", ".join(each.name for each in snapshots[:_SHOWN])
    more = f" and {len(snapshots) - _SHOWN} more" if len(snapshots) > _SHOWN else ""
    return [f"snapshots that are deleted: {ours} of pvenix and {len(snapshots) - ours} of others ({listed}{more})"]


def backup_storage(world: World, host: Host) -> str:
    """Where a last backup of the host goes; empty when neither the host nor its cluster names a storage for it."""
    return host.machine.backup.storage or world.cluster(host).storage.get("backup", "")


def last_backup(world: World, host: Host | None) -> str:
    """The storage that the VM is backed up to before it goes; empty when it is not, or its host has vanished."""
    return backup_storage(world, host) if host is not None and host.machine.backup.before_destroy else ""


def _backup_line(world: World, host: Host, found: Found) -> str:
    storage = backup_storage(world, host)
    if not host.machine.backup.before_destroy:
        return "no backup is made before: backup.before_destroy is false"
    if not storage:
        return "no backup is made before: neither backup.storage of the host nor storage.backup of its cluster names a storage"
    return f"VM {found.vmid} is backed up to {storage} first"
