"""Carries out what has to be done to a VM, and notices when somebody else was at it meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pvenix.engine.ports import VmPending
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import VmCalls
from pvenix.lifecycle.fields.work import Action, Put, View
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure

_LOST_PATIENCE_S: Final = 10.0
_DISK_PATIENCE_S: Final = 120.0
"""A new disk is allocated within the request, which another node's proxy gives up after 30 s."""
_TASK_TIMEOUT_S: Final = 7200.0
"""A disk of some TiB takes its time to another storage; the step's own limit is what ends it."""


async def carry_out(world: World, step: Step, found: Found, view: View, actions: Sequence[Action]) -> View:
    """The VM after these actions; each begins with what Proxmox has then.

    Raises: Refused when somebody changed the VM between two of them, RemoteFailure when Proxmox refuses one.
    """
    vm = VmCalls.on(world.pve, found, {})
    for index, action in enumerate(actions):
        if action.disk in view.seen.waiting and not isinstance(action, Put):
            step.tell(f"{action.disk} has a change that waits for a reboot; it is grown or moved after that")
            continue
        if isinstance(action, Put):
            await _written(world, step, found, view, action)
        else:
            await carried_out(world, step, action.call(vm, view), Use(node=found.node), timeout_s=_TASK_TIMEOUT_S)
        if index + 1 < len(actions):
            view = replace(view, seen=await _untouched(world, found, view, action))
    return view


async def _written(world: World, step: Step, found: Found, view: View, action: Put) -> None:
    """Return when Proxmox has taken the call; when its answer was lost, once the configuration shows it.

    Raises: OutcomeUnknown when it does not show within a few seconds.
    """
    try:
        await action.call(VmCalls.on(world.pve, found, {}), view).send(step)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking at the VM")

        async def shown() -> bool | None:
            return True if (await pending_of(world, found)).config.digest != view.seen.config.digest else None

        with contextlib.suppress(OutcomeUnknown):
            patience_s = _DISK_PATIENCE_S if action.disk else _LOST_PATIENCE_S
            await until(shown, clock=world.clock, timeout_s=patience_s, what=f"the write to VM {found.vmid}")
            return
        raise


async def pending_of(world: World, found: Found) -> VmPending:
    """The configuration of a VM that must be there, and what waits.

    Raises: RemoteFailure when it is gone.
    """
    seen = await world.pve.pending(found.node, found.vmid)
    if seen is None:
        raise RemoteFailure(f"VM {found.vmid} is no longer on {found.node}", hint="look again", code="PVX0525")
    return seen


async def _untouched(world: World, found: Found, view: View, action: Action) -> VmPending:
    """The VM now, when only what `action` is about has changed since `view`."""
    seen = await pending_of(world, found)
    ours = {"description", "boot", *action.keys} if isinstance(action, Put) else {action.disk}
    before, after = ({**one.config.values, **one.waiting} for one in (view.seen, seen))
    strange = [
        key
        for key in sorted({*before, *after} - ours)
        if before.get(key, "") != after.get(key, "") and not key.startswith("unused")
    ]
    if strange:
        raise Refused(
            f"VM {found.vmid} was changed by somebody else meanwhile",
            why=f"{', '.join(strange)} changed between two writes of ours",
            hint="look at what was changed, then run this again: it goes on from what it finds",
            code="PVX0650",
        )
    return seen
