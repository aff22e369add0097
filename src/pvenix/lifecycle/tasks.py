"""Proxmox tasks from start to end, within the limits of the site."""

from __future__ import annotations

from pvenix.engine.ports import TaskResult
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.waiting import task_end
from pvenix.lifecycle.world import World


async def carried_out(world: World, step: Step, call: Call[str], use: Use, *, timeout_s: float) -> TaskResult:
    """The good end of the task that `call` starts; until then it occupies `use`.

    Raises: as the call does; RemoteFailure with the task's error, OutcomeUnknown when it cannot be seen to end.
    """
    limits = world.cluster(world.host(step)).limits
    async with world.slots.hold(use, limits, step.tell):
        return await task_end(world, step, await call.send(step), timeout_s=timeout_s)
