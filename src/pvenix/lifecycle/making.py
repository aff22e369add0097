"""What clones and empty VMs have in common: ids that are taken, lost answers, and what an earlier process left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.place import CHOSEN_HERE
from pvenix.lifecycle.settling import config_of
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.underway import UnderWay, may_be_of, under_way
from pvenix.lifecycle.waiting import STALLED, task_end, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix.model.names import NodeName, Vmid, node_name, vmid

TAKEN = "PVX0511"
TRIES = 5
TASK_TIMEOUT_S = 1500.0
LOST_PATIENCE_S = 10.0
"""How long a request whose answer was lost may take to show an effect."""
Places = tuple[NodeName, NodeName]
"""The node where a VM is to be, and the one where it is made: for a clone that of its template."""
DECIDED = ("node", "vmid", "route", "storage", "template", "source")
"""The facts of a decision."""
_TAKEN_TEXTS = ("already exists", ".conf' failed: File exists")
"""Of the task that finds the id taken (qemu-server); the second for the id of a container or of another node's VM."""
_FOREIGN_PATIENCE_S = 600.0
_STUB_PATIENCE_S = 60.0
"""Of a VM that no task is seen to make: it ended just now, belongs to somebody whose tasks are hidden, or was left behind."""
_LOOK_AGAIN_S = 1.0
_UNDER_WAY = ("clone", "create", "migrate")
"""Locks of a VM that is not where or what it will be."""


async def found_or_made(world: World, step: Step, make: Callable[[World, Step], Awaitable[Found]]) -> Found:
    """The host's VM: that of an earlier attempt, or of somebody who is making it now, or what `make` makes.

    Raises: as the three do; the place is free for others then, unless it may be taken.
    """
    try:
        found = await _earlier(world, step) or await _after_foreign(world, step) or await make(world, step)
    except (RemoteFailure, Refused):
        world.ledger.release(step.host)
        raise
    world.survey.outdated()
    return found


async def made(world: World, step: Step, call: Call[str], new: Vmid, places: Places, *, use: Use) -> Found:
    """The VM that the task of `call` has made.

    Raises: as the task does, RemoteFailure for an id that is taken, OutcomeUnknown when nobody knows whether it is there.
    """
    try:
        await carried_out(world, step, call, use, timeout_s=TASK_TIMEOUT_S)
    except OutcomeUnknown as error:
        if error.code == STALLED:
            raise
        step.tell("the answer was lost; looking whether the VM exists")
        found = await appeared(world, step, new, places, patience_s=LOST_PATIENCE_S)
        if found is None:
            raise
        return found
    except RemoteFailure as error:
        raise taken_or(error) from error
    return Found(node=places[0], vmid=new, config=await config_of(world, places[0], new))


async def after_taken(world: World, step: Step, taken: Vmid, places: Places, error: RemoteFailure) -> Found | None:
    """The VM whose id an attempt found taken, if it is the host's own; None once another id may be chosen.

    Raises: `error` when it is not about the id, or the inventory or a plan that somebody looked at names the id.
    """
    if error.code != TAKEN:
        raise error
    ours = await appeared(world, step, taken, places)
    if ours is None:
        _choose_another(world, step, taken, error)
    return ours


async def appeared(world: World, step: Step, new: Vmid, places: Places, *, patience_s: float = 0) -> Found | None:
    """The VM `new` if it is ours and whole, None when it does not exist or belongs to somebody else.

    Until a clone has ended Proxmox lists it on the template's node, and what moves goes from there to its own. A request
    whose answer was lost may still be on its way: for `patience_s` seconds a missing VM is looked for again.
    """
    end, made = places
    patient_until = world.clock.monotonic() + patience_s

    async def whole() -> Found | bool | None:
        for where in (end, made, end) if end != made else (end,):  # twice: it may have moved between the two looks
            config = await world.pve.config(where, new)
            if config is not None and config.values.get("lock") in _UNDER_WAY:
                return None
            if config is not None:
                return Found(node=where, vmid=new, config=config) if world.vms.owns(config, step.host) else False
        return None if world.clock.monotonic() < patient_until else False

    found = await until(whole, clock=world.clock, timeout_s=TASK_TIMEOUT_S, what=f"the end of the making of VM {new}")
    return found if isinstance(found, Found) else None


async def _earlier(world: World, step: Step) -> Found | None:
    """The VM that a killed attempt of this run left behind, once its task has ended.

    Raises: Refused when the token may not see whether the host has a VM.
    """
    if "vmid" not in step.known:
        return await world.vms.certain(step.host, step.facts)
    if "upid" in step.known:
        step.tell("an earlier process started a task; waiting for its end")
        try:
            await task_end(world, step, step.known["upid"], timeout_s=TASK_TIMEOUT_S)
        except (RemoteFailure, OutcomeUnknown) as error:  # the VM itself tells what came of it
            if error.code == STALLED:
                raise
    end = node_name(step.known["node"])
    return await appeared(world, step, vmid(step.known["vmid"]), (end, node_name(step.known.get("source", end))))


async def _after_foreign(world: World, step: Step) -> Found | None:
    """The host's VM if one that is being made, and not by this run, turns out to be it, None when none does.

    It may be the work of an interrupted run, so its end is waited for.
    Raises: OutcomeUnknown when it does not end in time.
    """
    host = world.host(step)

    async def foreign() -> UnderWay | None:
        world.survey.outdated()
        making = await under_way(world, without=set(world.ledger.vmids.values()))
        return next((one for one in making if may_be_of(one, host, world)), None)

    first = one = await foreign()
    if first is None:
        return None
    patience_s = _FOREIGN_PATIENCE_S if first.task else _STUB_PATIENCE_S
    step.tell(f"{first.shown}; waiting up to {patience_s / 60:g} min to see whose it is")
    deadline = world.clock.monotonic() + patience_s
    while one is not None:
        if world.clock.monotonic() >= deadline:
            raise one.unclear(step.host)
        await world.clock.sleep(_LOOK_AGAIN_S)
        one = await foreign()
    return await world.vms.find(step.host)


def taken_or(error: RemoteFailure) -> RemoteFailure:
    """The error, with the code of an id that is taken when that is what a task says."""
    if not any(text in error.why for text in _TAKEN_TEXTS):
        return error
    return RemoteFailure(error.what, why=error.why, evidence=error.evidence, code=TAKEN)


def _choose_another(world: World, step: Step, taken: Vmid, error: RemoteFailure) -> None:
    """Let another id be chosen.

    Raises: RemoteFailure when the inventory or a plan that somebody looked at names the id.
    """
    if world.host(step).machine.proxmox.vmid:
        raise error
    if CHOSEN_HERE not in step.facts:
        raise RemoteFailure(
            f"VM id {taken} was taken since the plan was made",
            why=error.why,
            hint="look at a new plan: pvenix plan",
            code="PVX0527",
        ) from error
    step.tell(f"VM id {taken} was taken meanwhile; choosing another")
    world.survey.outdated()
    world.ledger.refused.add(taken)
    world.ledger.release(step.host)
    forget_decision(step)


def forget_decision(step: Step) -> None:
    """Let the host be placed anew."""
    for key in DECIDED:
        step.facts.pop(key, None)
        step.known.pop(key, None)
