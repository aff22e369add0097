"""Proxmox tasks from start to end, within the limits of the site."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from pvenix.engine.ports import TaskResult
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.waiting import task_end
from pvenix.lifecycle.world import World
from pvenix.model.site import Limits


async def carried_out(world: World, step: Step, call: Call[str], use: Use, *, timeout_s: float) -> TaskResult:
    """The good end of the task that `call` starts; until then it occupies `use`.

    Raises: as the call does; RemoteFailure with the task's error, OutcomeUnknown when it cannot be seen to end.
    """
    async with slot(world, step, use):
        return await task_end(world, step, await call.send(step), timeout_s=timeout_s)


def slot(world: World, step: Step, use: Use) -> AbstractAsyncContextManager[None]:
    """Held while a task occupies `use`; whoever has to wait for it is told."""
    return world.slots.hold(use, _limits(world, step), step.tell)


def _limits(world: World, step: Step) -> Limits:
    """Those of the host's cluster; what the inventory does not have, as a VM that is no host's, is in the first."""
    host = world.fleet.hosts.get(step.host)
    clusters = world.fleet.site.clusters
    return (world.cluster(host) if host is not None else next(iter(clusters.values()))).limits
