"""Back a host's VM up, see that the backup is there, and let go of our oldest ones."""

from __future__ import annotations

from pvenix.engine.ports import Volume
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.freezing import end_or_thaw, refuse_freeze
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.signature import of_step, signed, whose
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.snapshots import seconds_now
from pvenix.lifecycle.tasks import carried_out, slot
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, RemoteFailure, UsageError
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

TIMEOUT_S = 6900.0
"""Less than the verb may take; `resume` goes on waiting for a backup that takes longer."""
_PRUNE_TIMEOUT_S = 300.0
_GIB = 1 << 30


async def probe(world: World, step: Step) -> Probe:
    """Done only when an earlier attempt of this very step has made the backup."""
    found = await world.vms.of(step)
    storage = await _storage(world, step, found)
    made = await _made(world, step, found, storage)
    if made is not None and len(await _too_many(world, step, found, storage)) == 0:
        return done(f"backed up: {made.id}", backup=made.id)
    await refuse_freeze(world, step, found, backup=True)
    return needed(f"VM {found.vmid} on {found.node} will be backed up to {storage}")


async def apply(world: World, step: Step) -> Outcome:
    """Back up, then let go of what `backup.keep` does not keep."""
    found = await world.vms.of(step)
    made = await back_up(world, step, found)
    storage = made.partition(":")[0]
    gone = await _prune(world, step, found, storage)
    seen = await _made(world, step, found, storage)
    size = f", {seen.size / _GIB:.1f} GiB, {max(0, seconds_now(world) - seen.made_at)} s old" if seen else ""
    return Outcome(
        status=Status.CHANGED,
        summary=made + size + (f"; {gone} older of ours deleted" if gone else ""),
        facts={"backup": made},
    )


async def commands(world: World, step: Step) -> Commands:
    """The backup, and the deletions that it leads to."""
    found = await world.vms.of(step)
    storage, calls = await _storage(world, step, found), VmCalls.on(world.pve, found, {})
    old = await _too_many(world, step, found, storage, coming=1)
    return shown(
        [
            calls.back_up(storage, notes=await signed(world, step)),
            *(calls.delete_backup(volume.id) for volume in old),
        ]
    )


async def back_up(world: World, step: Step, found: Found) -> str:
    """The volume id of a backup that this step made and that is listed; one of an interrupted attempt is taken.

    Raises: UsageError when no storage is named or it takes no backups, Refused when the guest may not be frozen,
    RemoteFailure with Proxmox' error, OutcomeUnknown when the end cannot be seen.
    """
    storage = await _storage(world, step, found)
    if "backing_up" in step.known:
        made = await _of_earlier_attempt(world, step, found, storage)
        if made is not None:
            return made.id
    await refuse_freeze(world, step, found, backup=True)
    await unlocked(world, step, found)
    await step.intend(backing_up=storage, vmid=str(found.vmid), node=found.node)
    try:
        call = VmCalls.on(world.pve, found, {}).back_up(storage, notes=await signed(world, step))
        async with slot(world, step, Use(node=found.node)):
            await end_or_thaw(world, step, found, await call.send(step), timeout_s=TIMEOUT_S)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking for the backup")
        made = await _of_earlier_attempt(world, step, found, storage)
        if made is None:
            raise
    else:
        made = await _made(world, step, found, storage)
    if made is None or made.size == 0:
        raise RemoteFailure(
            f"the task ended well, but the backup is not on {storage}",
            why="a token sees a backup only with VM.Backup on its VM and Datastore.Audit on the storage",
            hint=f"look at {storage}; nothing else was done",
            code="PVX0906",
        )
    step.tell(f"{made.id}: {made.size / _GIB:.1f} GiB")
    return made.id


async def _of_earlier_attempt(world: World, step: Step, found: Found, storage: str) -> Volume | None:
    """The backup that a request whose answer was lost may have made, once no backup of the VM runs any more."""
    for task in await world.pve.tasks_of(found.node, found.vmid):
        if task.kind == "vzdump" and task.running:
            step.tell(f"a backup of {task.user} is under way; waiting for its end")
            await world.pve.wait(task.upid, timeout_s=TIMEOUT_S, on_line=step.output)
    return await _made(world, step, found, storage)


async def _made(world: World, step: Step, found: Found, storage: str) -> Volume | None:
    """The backup that this step has made, known by its notes, which Proxmox writes last."""
    begin = of_step(world, step)
    return next((each for each in await _backups(world, found, storage) if each.notes.startswith(begin)), None)


async def _prune(world: World, step: Step, found: Found, storage: str) -> int:
    """Delete what is too much; how many. A failure is told and not the backup's."""
    gone = 0
    for volume in await _too_many(world, step, found, storage):
        try:
            call = VmCalls.on(world.pve, found, {}).delete_backup(volume.id)
            await carried_out(world, step, call, Use(node=found.node), timeout_s=_PRUNE_TIMEOUT_S)
        except PvenixError as error:
            step.tell(f"{volume.id} stays: {error}")
            continue
        gone += 1
    return gone


async def _too_many(world: World, step: Step, found: Found, storage: str, *, coming: int = 0) -> list[Volume]:
    """Our backups of the host beyond `backup.keep`, oldest first; never somebody else's, nor a protected one."""
    keep = world.host(step).machine.backup.keep
    if keep <= 0:
        return []
    ours = [each for each in await _backups(world, found, storage) if each.notes.startswith(whose(world, step.host))]
    oldest = sorted((each for each in ours if not each.protected), key=lambda each: (each.made_at, each.id))
    return oldest[: max(0, len(oldest) + coming - keep)]


async def _backups(world: World, found: Found, storage: str) -> tuple[Volume, ...]:
    return await world.pve.volumes(found.node, storage, vmid=found.vmid, content="backup")


async def _storage(world: World, step: Step, found: Found) -> str:
    """Where the host's backups go.

    Raises: UsageError when none is named, or it takes no backups on the VM's node.
    """
    host = world.host(step)
    name = host.machine.backup.storage or world.cluster(host).storage.get("backup", "")
    here = [each for each in (await world.survey.resources()).storages if each.node == found.node]
    choices = sorted(each.name for each in here if "backup" in each.content and each.active)
    if name in choices:
        return name
    raise UsageError(
        f"storage {name} takes no backups on {found.node}"
        if name
        else f"no storage is named for backups of {step.host}",
        why="" if name else "neither machine.backup.storage nor the cluster's storage.backup says where they go",
        hint=f"set machine.backup.storage to one of: {', '.join(choices)}"
        if choices
        else f"no storage on {found.node} has the content `backup`, as far as the token may see",
        code="PVX0907",
    )
