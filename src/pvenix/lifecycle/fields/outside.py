"""What lies outside of a VM's configuration: its node, its pool, its backup jobs, its boot; read and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pvenix.engine.ports import BackupJob
from pvenix.lifecycle import argv
from pvenix.lifecycle.calls import Call, VmCalls, backup_job_call
from pvenix.lifecycle.fields.compare import BOOT
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix.model.fleetplan import FieldPlan


async def around(
    world: World, found: Found, keys: Collection[str], recorded: Mapping[str, str], *, fresh: bool = False
) -> dict[str, str]:
    """Node, HA state, pool, backup jobs and boot of the VM by key, as far as `keys` or the record ask for them.

    What the token may not see is left out: no job that is seen is not the same as no job. The jobs are those that the run read
    some time ago, unless they are to be `fresh`.
    """
    keys = {*keys, *({"backup"} & set(recorded))}
    vm = next((vm for vm in await world.survey.vms() if vm.vmid == found.vmid), None)
    told, pool = {"node": str(found.node), "ha": vm.ha if vm else ""}, vm.pool if vm else ""
    if "pool" in keys and (pool or await world.survey.pools()):
        told["pool"] = pool
    if "backup" in keys:
        told |= await _jobs(world, found, pool, fresh=fresh)
    if BOOT in recorded:
        told[BOOT] = await boot_of(world, found)
    return told


async def _jobs(world: World, found: Found, pool: str, *, fresh: bool) -> dict[str, str]:
    try:
        jobs = await (world.pve if fresh else world.survey).backup_jobs()
    except Refused:
        return {}
    return {"backup": ",".join(job.id for job in jobs if job.covers(found.vmid, pool))}


async def boot_of(world: World, found: Found) -> str:
    """The id of the boot that the VM's guest runs, empty while its agent does not say, or not to this token."""
    try:
        text = await world.pve.agent_read_file(found.node, found.vmid, argv.BOOT_ID[-1])
    except (RemoteFailure, OutcomeUnknown, Refused):
        return ""
    return (text or "").strip()[:36]


async def memberships(world: World, found: Found, take: Sequence[FieldPlan]) -> list[Call[None]]:
    """What puts the VM into its pool and onto the list of its backup job, as far as `take` has them.

    Raises: Refused for a backup job that keeps no list, or that nobody sees.
    """
    vm = VmCalls.on(world.pve, found, {})
    made = [vm.put_in_pool(one.desired) for one in take if one.key == "pool"]
    for one in take:
        made += await _on_list(world, found, one) if one.key == "backup" else []
    return made


async def _on_list(world: World, found: Found, plan: FieldPlan) -> list[Call[None]]:
    """The VM on the list of its backup job, and off the one that it was put on for the inventory earlier."""
    jobs = {job.id: job for job in await world.pve.backup_jobs()}
    made: list[Call[None]] = []
    if plan.desired:
        job = jobs.get(plan.desired)
        if job is None or not job.vmids:
            raise _no_list(plan.desired, jobs)
        made.append(backup_job_call(world.pve, job.id, {*job.vmids, int(found.vmid)}))
    earlier = jobs.get(plan.recorded)
    if earlier is not None and earlier.id != plan.desired and int(found.vmid) in earlier.vmids:
        made.append(backup_job_call(world.pve, earlier.id, {*earlier.vmids} - {int(found.vmid)}))
    return made


def _no_list(name: str, jobs: Mapping[str, BackupJob]) -> Refused:
    lists = sorted(job.id for job in jobs.values() if job.vmids)
    why = "it takes every VM, or those of a pool" if name in jobs else f"jobs with a list: {', '.join(lists) or 'none'}"
    return Refused(
        f"no VM can be put on the list of backup job {name}",
        why=why,
        hint="name a job with a list in machine.backup.job, or leave it out",
        code="PVX0655",
    )
