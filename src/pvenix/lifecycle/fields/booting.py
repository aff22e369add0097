"""One reboot that puts into effect what waits, and no second one after an interruption."""

from __future__ import annotations

from typing import Final

from pvenix.engine.step import Step
from pvenix.lifecycle.calls import VmCalls
from pvenix.lifecycle.fields.compare import UNKNOWN
from pvenix.lifecycle.fields.outside import boot_of
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.power import grace_of
from pvenix.lifecycle.waiting import task_end, until
from pvenix.lifecycle.world import World

_SPARE_S: Final = 60.0
_TASK: Final = "qmreboot"


async def reboot_once(world: World, step: Step, found: Found) -> None:
    """Return when the guest's agent shows another boot than the one before this step asked.

    Proxmox' reboot is a shutdown and a cold start, which takes in what waits (qemu-server, `PVE::API2::Qemu` vm_reboot).
    Raises: RemoteFailure when the guest does not go down, OutcomeUnknown when no other boot is seen.
    """
    asked = step.known.get("boot_id", "")
    now = await boot_of(world, found)
    before = asked or now or UNKNOWN
    if not asked or now == asked:
        await step.intend(boot_id=before)
        upid = await _under_way(world, found) or await _ask(world, step, found)
        await task_end(world, step, upid, timeout_s=grace_of(step) + _SPARE_S)
    step.tell("waiting for another boot")

    async def another() -> str | None:
        there = await boot_of(world, found)
        return there if there not in ("", before) else None

    timeout_s = world.host(step).machine.bootstrap.agent_timeout_s
    await until(another, clock=world.clock, timeout_s=timeout_s, what=f"another boot of {step.host}")


async def _ask(world: World, step: Step, found: Found) -> str:
    return await VmCalls.on(world.pve, found, {}).reboot(timeout_s=grace_of(step)).send(step)


async def _under_way(world: World, found: Found) -> str:
    """The reboot that is going on, whoever asked for it: a process that died before it noted the answer, or a person."""
    tasks = await world.pve.tasks_of(found.node, found.vmid)
    return next((task.upid for task in tasks if task.kind == _TASK and task.running), "")
