"""Start, shut down and cut the power of a host's VM; what Proxmox answers is not believed before the VM's node shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import VmPower
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.asked import ended_before, seen_tasks
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.waiting import unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_GRACE_S: Final = 120
"""How long a guest may take to go down unless told otherwise."""
_SPARE_S: Final = 30.0
_TASK_TIMEOUT_S: Final = 300.0
_HA_TIMEOUT_S: Final = 240.0
"""The HA manager acts every ten seconds, and gives a guest 60 s to go down."""
_SUSPENDED: Final = "suspended"
_TASKS: Final = {"running": ("qmstart", "qmresume"), "stopped": ("qmshutdown", "qmstop")}
"""The kinds of tasks that lead to each state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """A verb that leads to a state of power; as good as a module with the three functions."""

    wanted: str
    """`running` or `stopped`."""
    call: Callable[[VmCalls, Step], Call[str]]
    forces: bool = False
    """Whether the argument `force` cuts the power when the guest does not go down in time."""

    async def probe(self, world: World, step: Step) -> Probe:
        """Done when the VM's node says that it is so."""
        found = await world.vms.of(step)
        power = await world.pve.power(found.node, found.vmid)
        if power.status != self.wanted:
            return needed(f"VM {found.vmid} on {found.node} is {_state(power)}")
        if self.wanted == "running" and power.detail == "paused":
            raise RemoteFailure(
                f"VM {found.vmid} runs, but is paused", hint=f"resume it: qm resume {found.vmid}", code="PVX0901"
            )
        return done(f"VM {found.vmid} on {found.node} is {_state(power)}")

    async def apply(self, world: World, step: Step) -> Outcome:
        """Ask for it, and see it happen."""
        found = await world.vms.of(step)
        timeout_s = grace_of(step) + _SPARE_S
        await ended_before(world, step, found, *_TASKS[self.wanted], timeout_s=timeout_s, shows=True)
        power = await world.pve.power(found.node, found.vmid)
        if power.status != self.wanted:
            await self._ask(world, step, found, power)
        return Outcome(status=Status.CHANGED, summary=f"VM {found.vmid} on {found.node} is {self.wanted}")

    async def commands(self, world: World, step: Step) -> Commands:
        """The one call."""
        return shown([self.call(VmCalls.on(world.pve, await world.vms.of(step), {}), step)])

    async def _ask(self, world: World, step: Step, found: Found, power: VmPower) -> None:
        if power.lock != _SUSPENDED or self.wanted == "stopped":
            await unlocked(world, step, found)
        seen = await seen_tasks(world, found, *_TASKS[self.wanted])
        await step.intend(vmid=str(found.vmid), node=found.node, seen=seen, upid="")
        if power.ha:
            step.tell(f"the HA manager keeps VM {found.vmid} ({power.ha}): it is asked, and acts in a round of its own")
        try:
            await changed(world, step, found, self.call(VmCalls.on(world.pve, found, {}), step), wanted=self.wanted)
        except RemoteFailure as error:
            if not self.forces:
                raise
            if not step.args.get("force"):
                raise _stays_up(step, error) from error
            step.tell(f"the guest did not go down ({error}); cutting its power")
            await changed(world, step, found, VmCalls.on(world.pve, found, {}).stop(), wanted=self.wanted)


async def changed(world: World, step: Step, found: Found, call: Call[str], *, wanted: str) -> None:
    """Make a call, and return when the VM's node says that the VM is `wanted`.

    A request to the HA manager returns before its effect, and a lost answer says nothing: only the node is believed.
    Raises: RemoteFailure when the task failed or the HA manager does not act, OutcomeUnknown when nothing can be seen.
    """
    timeout_s = grace_of(step) + _SPARE_S if wanted == "stopped" else _TASK_TIMEOUT_S
    try:
        await carried_out(world, step, call, Use(node=found.node), timeout_s=timeout_s)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking at the VM")
        if not await _comes(world, found, wanted, _SPARE_S):
            raise
    except RemoteFailure:
        if not await _comes(world, found, wanted, 0):
            raise
    ha = (await world.pve.power(found.node, found.vmid)).ha
    if not await _comes(world, found, wanted, _HA_TIMEOUT_S if ha else _SPARE_S):
        raise RemoteFailure(
            f"VM {found.vmid} is not {wanted} although Proxmox took the request",
            why=f"the HA manager has it as {ha}" if ha else "its node shows no change",
            hint="ha-manager status, on a node" if ha else f"pvenix status {step.host}",
            code="PVX0902",
        )


async def _comes(world: World, found: Found, wanted: str, patience_s: float) -> bool:
    async def so() -> bool | None:
        return True if (await world.pve.power(found.node, found.vmid)).status == wanted else None

    try:
        return await until(so, clock=world.clock, timeout_s=patience_s, what=f"VM {found.vmid} as {wanted}")
    except OutcomeUnknown:
        return False


def _stays_up(step: Step, error: RemoteFailure) -> RemoteFailure:
    return RemoteFailure(
        f"{step.host} did not shut down within {grace_of(step)} s",
        why=error.why or error.what,
        hint=f"look at its console; to cut its power then: pvenix shutdown {step.host} --force",
        evidence=error.evidence,
        code="PVX0903",
    )


def grace_of(step: Step) -> int:
    """Seconds that the guest may take to go down."""
    return int(step.args.get("grace", _GRACE_S))


def _state(power: VmPower) -> str:
    parts = [power.detail] if power.detail not in ("", power.status) else []
    parts += [f"locked: {power.lock}"] if power.lock else []
    return power.status + (f" ({', '.join(parts)})" if parts else "")


START: Final = Power(wanted="running", call=lambda vm, _step: vm.start())
SHUTDOWN: Final = Power(wanted="stopped", call=lambda vm, step: vm.shutdown(timeout_s=grace_of(step)), forces=True)
STOP: Final = Power(wanted="stopped", call=lambda vm, _step: vm.stop())
