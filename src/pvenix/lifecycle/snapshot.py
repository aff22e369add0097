"""Take a snapshot of a host's VM, and let go of our oldest ones."""

from __future__ import annotations

import re
from typing import Final

from pvenix.engine.ports import VmSnapshot
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import snapshots
from pvenix.lifecycle.asked import asked_for, seen_tasks, task_begun
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.freezing import end_or_thaw, refuse_freeze
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.signature import of_step, signed
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import slot
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure, UsageError
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_RESERVED: Final = frozenset({"current", "pending"})
_TASK: Final = "qmsnapshot"
_TIMEOUT_S: Final = 600.0
_MEMORY_TIMEOUT_S: Final = 3000.0


async def probe(world: World, step: Step) -> Probe:
    """Done only when an earlier attempt of this very step has taken it."""
    _check_name(str(step.args.get("name", "")))
    found = await world.vms.of(step)
    name = _name(step)
    earlier = await _listed(world, found, name)
    ours = earlier is not None and earlier.description.startswith(of_step(world, step))
    if earlier is not None and ours and not earlier.unfinished:
        if await snapshots.too_many(world, step, found):
            return needed(f"snapshot {name} is there, and older ones of ours are too many")
        return done(f"snapshot {name} of VM {found.vmid} is there", snapshot=name)
    if earlier is not None and not ours:
        raise UsageError(
            f"VM {found.vmid} has a snapshot {name} already",
            why=f"taken with the words {earlier.description.partition(chr(10))[0]!r}",
            hint="choose another --name",
            code="PVX0912",
        )
    if not step.args.get("memory"):
        await refuse_freeze(world, step, found, backup=False)
    return needed(f"VM {found.vmid} on {found.node} gets snapshot {name}")


async def apply(world: World, step: Step) -> Outcome:
    """Take it, see it, and let go of what `snapshot.keep` does not keep."""
    found = await world.vms.of(step)
    name = await take(world, step, found)
    gone = await snapshots.prune(world, step, found)
    return Outcome(
        status=Status.CHANGED,
        summary=f"snapshot {name} of VM {found.vmid}" + (f"; {gone} older of ours deleted" if gone else ""),
        facts={"snapshot": name},
    )


async def commands(world: World, step: Step) -> Commands:
    """The snapshot, and the deletions that it leads to."""
    found = await world.vms.of(step)
    vm, old = VmCalls.on(world.pve, found, {}), await snapshots.too_many(world, step, found, coming=1)
    take_it = vm.take_snapshot(_name(step), description=await signed(world, step), memory=_memory(step))
    return shown([take_it, *(vm.delete_snapshot(each.name) for each in old)])


async def take(world: World, step: Step, found: Found) -> str:
    """The name of the step's snapshot, once it is seen; it is not taken twice.

    Raises: RemoteFailure with Proxmox' error, OutcomeUnknown when nobody knows whether it is there.
    """
    name = _name(step)
    listed = await _listed(world, found, name)
    if listed is None or listed.unfinished:
        await _take(world, step, found, name)
    return name


async def _take(world: World, step: Step, found: Found, name: str) -> None:
    """Raises: RemoteFailure with Proxmox' error, OutcomeUnknown when nobody knows whether it is there."""
    call = VmCalls.on(world.pve, found, {}).take_snapshot(
        name, description=await signed(world, step), memory=_memory(step)
    )
    lost: OutcomeUnknown | None = None
    try:
        async with slot(world, step, Use(node=found.node)):
            upid = await _asked(world, step, found, call)
            timeout_s = _MEMORY_TIMEOUT_S if _memory(step) else _TIMEOUT_S
            await end_or_thaw(world, step, found, upid, timeout_s=timeout_s)
    except OutcomeUnknown as error:
        step.tell(f"its end was not seen; looking for snapshot {name}")
        lost = error
    listed = await _listed(world, found, name)
    if listed is not None and not listed.unfinished:
        return
    if lost is not None:
        raise OutcomeUnknown(
            lost.what,
            why=f"snapshot {name} is {'unfinished' if listed else 'not listed'}; {lost.why}",
            hint=f"the guest may be frozen: look at its console; pvenix snapshots {step.host} shows what came of it, "
            f"and when no task of VM {found.vmid} runs any more, pvenix resume {step.run} goes on",
            evidence=lost.evidence,
            code="PVX0913",
        ) from lost
    raise RemoteFailure(
        f"the task ended well, but snapshot {name} is not there", hint=f"pvenix snapshots {step.host}", code="PVX0914"
    )


async def _asked(world: World, step: Step, found: Found, call: Call[str]) -> str:
    """The UPID of the task that makes the snapshot: the one of an earlier process, if Proxmox has begun it, or a new one."""
    if (earlier := await task_begun(world, step, found, _TASK)) and await _runs(world, found, earlier):
        step.tell("an earlier process asked for it; waiting for its end")
        return earlier
    await unlocked(world, step, found)
    seen = await seen_tasks(world, found, _TASK)
    await step.intend(snapshot=str(_name(step)), vmid=str(found.vmid), node=found.node, seen=seen)
    return await asked_for(world, step, found, call, _TASK)


async def _runs(world: World, found: Found, upid: str) -> bool:
    tasks = await world.pve.tasks_of(found.node, found.vmid)
    return any(task.running for task in tasks if task.upid == upid)


async def _listed(world: World, found: Found, name: str) -> VmSnapshot | None:
    return next((each for each in await world.pve.snapshots(found.node, found.vmid) if each.name == name), None)


def _memory(step: Step) -> bool:
    return bool(step.args.get("memory", False))


def _name(step: Step) -> str:
    """The name asked for, or that of the run, which begins with its time in UTC, and of a later step of it."""
    play, task, _ = step.id.split(".")
    later = "" if (play, task) == ("0", "0") else f"-{play}-{task}"
    return str(step.args.get("name", "")) or f"pvenix-{step.run}{later}"


def _check_name(name: str) -> None:
    if name and (not _NAME.fullmatch(name) or name.lower() in _RESERVED):
        raise UsageError(
            f"{name[:60]!r} is no name for a snapshot",
            why="a letter, then letters, digits, `_` and `-`, 40 in all; `current` and `pending` are Proxmox' own",
            code="PVX0915",
        )
