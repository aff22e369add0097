"""A host's snapshots: theirs and ours, which ones a way back would pass over, and which ones retention lets go."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pvenix.engine.ports import VmSnapshot
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import VmCalls
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.signature import whose
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, RemoteFailure, UsageError
from pvenix.model.nearest import did_you_mean
from pvenix.model.snapshots import HostSnapshot

DELETE_TIMEOUT_S: Final = 1800.0
_PARENT: Final = "parent"
"""The key of a VM's configuration that names the snapshot which its present state comes after."""


async def host_snapshots(world: World, host: str) -> tuple[HostSnapshot, ...]:
    """The host's snapshots, each after its parent; none when it has no VM.

    Raises: Refused when the token may not see whether it has one.
    """
    found = await world.vms.certain(host)
    if found is None:
        return ()
    now = seconds_now(world)
    return tuple(
        HostSnapshot(
            host=host,
            vmid=found.vmid,
            name=each.name,
            parent=each.parent,
            taken_at=each.taken_at,
            age_s=max(0, now - each.taken_at),
            memory=each.memory,
            ours=is_ours(world, host, each),
            present=found.config.values.get(_PARENT) == each.name,
            unfinished=each.unfinished,
            description=each.description.partition("\n")[0],
        )
        for each in await world.pve.snapshots(found.node, found.vmid)
    )


def seconds_now(world: World) -> int:
    """Seconds since 1970 by our own clock; Proxmox writes those of its nodes."""
    return int(datetime.fromisoformat(world.clock.utc()).timestamp())


def is_ours(world: World, host: str, snapshot: VmSnapshot) -> bool:
    """True when this fleet's pvenix made it."""
    return snapshot.description.startswith(whose(world, host))


async def named(world: World, found: Found, name: str) -> VmSnapshot:
    """The VM's snapshot of this name.

    Raises: UsageError with the names that there are.
    """
    snapshots = await world.pve.snapshots(found.node, found.vmid)
    for each in snapshots:
        if each.name == name:
            return each
    names = [each.name for each in snapshots]
    raise UsageError(
        f"VM {found.vmid} has no snapshot {name!r}",
        why=f"it has {', '.join(names)}" if names else "it has none, as far as the token may see",
        hint=did_you_mean(name, names),
        code="PVX0909",
    )


def after(snapshots: tuple[VmSnapshot, ...], name: str) -> tuple[VmSnapshot, ...]:
    """The snapshots that are neither `name` nor one that it was taken after: what a way back to it passes over."""
    parents = {each.name: each.parent for each in snapshots}
    line = {name}
    while (name := parents.get(name, "")) and name not in line:
        line.add(name)
    return tuple(each for each in snapshots if each.name not in line)


async def delete(world: World, step: Step, found: Found, name: str) -> None:
    """Delete a snapshot, and see that it is gone.

    Raises: RemoteFailure when it stays, OutcomeUnknown when that cannot be seen.
    """
    await unlocked(world, step, found)
    lost: OutcomeUnknown | None = None
    try:
        call = VmCalls.on(world.pve, found, {}).delete_snapshot(name)
        await carried_out(world, step, call, Use(node=found.node), timeout_s=DELETE_TIMEOUT_S)
    except OutcomeUnknown as error:
        step.tell(f"the answer was lost; looking whether {name} is gone")
        lost = error
    if lost is not None:
        await unlocked(world, step, found)
    if all(each.name != name for each in await world.pve.snapshots(found.node, found.vmid)):
        return
    raise lost or RemoteFailure(
        f"the task ended well, but snapshot {name} is still there", hint=f"pvenix snapshots {step.host}", code="PVX0910"
    )


async def too_many(world: World, step: Step, found: Found, *, coming: int = 0) -> list[VmSnapshot]:
    """Our snapshots of the host beyond `snapshot.keep`, oldest first; never somebody else's."""
    keep = world.host(step).machine.snapshot.keep
    if keep <= 0:
        return []
    listed = await world.pve.snapshots(found.node, found.vmid)
    ours = [each for each in listed if is_ours(world, step.host, each) and not each.unfinished]
    ours.sort(key=lambda each: (each.taken_at, each.name))
    return ours[: max(0, len(ours) + coming - keep)]


async def prune(world: World, step: Step, found: Found) -> int:
    """Delete what is too much; how many. A failure is told: the snapshot that was wanted is there."""
    gone = 0
    for each in await too_many(world, step, found):
        try:
            await delete(world, step, found, each.name)
        except PvenixError as error:
            step.tell(f"snapshot {each.name} stays: {error}")
            continue
        gone += 1
    return gone
