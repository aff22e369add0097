"""One reboot that puts into effect what waits, and no second one after an interruption."""

from __future__ import annotations

from typing import Final

from pvenix.engine.step import Step
from pvenix.lifecycle.asked import ask_anew, ask_once, seen_tasks
from pvenix.lifecycle.calls import VmCalls
from pvenix.lifecycle.fields.compare import UNKNOWN
from pvenix.lifecycle.fields.outside import boot_of
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.power import grace_of
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World

_SPARE_S: Final = 60.0
_TASK: Final = "qmreboot"


async def reboot_once(world: World, step: Step, found: Found) -> None:
    """Return when Proxmox has rebooted the VM and the guest's agent shows another boot than before.

    Proxmox' reboot is a shutdown and a cold start, which takes in what waits (qemu-server, `PVE::API2::Qemu` vm_reboot);
    a guest that reboots by itself does not, so only the task counts and not another boot alone.
    Raises: RemoteFailure when the guest does not go down, OutcomeUnknown when no other boot is seen.
    """
    if "seen" not in step.known:
        boot = await boot_of(world, found) or UNKNOWN
        await step.intend(boot_id=boot, seen=await seen_tasks(world, found, _TASK))
    elif await boot_of(world, found) == step.known["boot_id"]:
        await ask_anew(world, step, found, _TASK)
    before = step.known["boot_id"]
    reboot = VmCalls.on(world.pve, found, {}).reboot(timeout_s=grace_of(step))
    await ask_once(world, step, found, reboot, _TASK, timeout_s=grace_of(step) + _SPARE_S)
    step.tell("waiting for another boot")

    async def another() -> str | None:
        there = await boot_of(world, found)
        return there if there not in ("", before) else None

    timeout_s = world.host(step).machine.bootstrap.agent_timeout_s
    await until(another, clock=world.clock, timeout_s=timeout_s, what=f"another boot of {step.host}")
