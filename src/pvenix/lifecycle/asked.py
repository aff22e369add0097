"""Whether a task that a process asked for and never heard of was begun: Proxmox' list of tasks knows."""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World


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
