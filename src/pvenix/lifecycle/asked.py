"""Whether a task that a process asked for and never heard of was begun: Proxmox' list of tasks knows."""

from __future__ import annotations

import contextlib

from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import slot
from pvenix.lifecycle.waiting import task_end, unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure


async def seen_tasks(world: World, found: Found, *kinds: str) -> str:
    """The VM's tasks of these kinds so far, for the intent that comes before another one is asked for."""
    return " ".join(task.upid for task in await world.pve.tasks_of(found.node, found.vmid) if task.kind in kinds)


async def task_begun(world: World, step: Step, found: Found, *kinds: str) -> str:
    """The UPID of the task that this step asked for, once its intent is recorded (`seen`); empty when there is none.

    A task of somebody else since then counts too: it does the same.
    """
    known = step.known.get("upid", "")
    if known and known.split(":")[5] in kinds:
        return known
    if "seen" not in step.known:
        return ""
    before = step.known["seen"].split()
    tasks = await world.pve.tasks_of(found.node, found.vmid)
    return next((task.upid for task in tasks if task.kind in kinds and task.upid not in before), "")


async def ask_anew(world: World, step: Step, found: Found, *kinds: str) -> None:
    """Take a task of this step that has ended, and changed nothing, for one that was never asked for."""
    if not any(task.running for task in await world.pve.tasks_of(found.node, found.vmid) if task.kind in kinds):
        await step.intend(seen=await seen_tasks(world, found, *kinds), upid="")


async def ended_before(
    world: World, step: Step, found: Found, *kinds: str, timeout_s: float, shows: bool = False
) -> bool:
    """True when the task that an earlier process of this run asked for has ended well; one that failed is told.

    With `shows` the VM itself tells later whether it was done: a task whose record is gone, and that its node does not
    list as running, is not asked any more.
    Raises: OutcomeUnknown when it cannot be seen to end.
    """
    upid = await task_begun(world, step, found, *kinds)
    if not upid:
        return False
    step.tell("an earlier process asked for it; waiting for its end")
    try:
        await task_end(world, step, upid, timeout_s=timeout_s)
    except RemoteFailure as error:
        step.tell(f"it failed: {error}")
        return False
    except OutcomeUnknown as error:
        listed = await world.pve.tasks_of(found.node, found.vmid)
        if not shows or any(task.running for task in listed if task.kind in kinds):
            raise
        step.tell(f"{error}; none runs any more, so what it did is read")
        return False
    return True


async def asked_for(world: World, step: Step, found: Found, call: Call[str], kind: str) -> str:
    """The UPID of the task of `kind` that `call` starts; that of a request whose answer was lost is looked up.

    Raises: as the call does, OutcomeUnknown when the answer was lost and no task was begun.
    """
    try:
        return await call.send(step)
    except OutcomeUnknown:
        upid = await task_begun(world, step, found, kind)
        if not upid:
            raise
        step.tell("the answer was lost; Proxmox lists the task")
        return upid


async def ask_once(world: World, step: Step, found: Found, call: Call[str], kind: str, *, timeout_s: float) -> None:
    """The good end of the task of `kind` that `call` starts, or that this step has started before it was interrupted.

    The intent that came before (`seen`) tells the two apart. One that ended badly is asked for once more.
    Raises: RemoteFailure with the error of the task, OutcomeUnknown when nobody knows of it.
    """
    if upid := await task_begun(world, step, found, kind):
        step.tell("an earlier process asked for it; waiting for its end")
        with contextlib.suppress(RemoteFailure, OutcomeUnknown):
            await task_end(world, step, upid, timeout_s=timeout_s)
            return
    await unlocked(world, step, found)
    async with slot(world, step, Use(node=found.node)):
        await task_end(world, step, await asked_for(world, step, found, call, kind), timeout_s=timeout_s)
