"""Snapshots and backups freeze a running guest's file systems through its agent: whether one will, and what if it hangs.

Sources: qemu-server, `QemuConfig.pm` (__snapshot_check_freeze_needed) and `Agent.pm` (guest_fsfreeze may take an hour).
"""

from __future__ import annotations

from typing import Final

from pvenix.engine.ports import TaskResult
from pvenix.engine.step import Step
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.selfguard import is_self
from pvenix.lifecycle.waiting import ended_well
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused

STALL_S: Final = 90.0
"""A task that says nothing for so long may hang in a freeze; thawing a guest that is not frozen does nothing."""
_SWITCHES: Final = ("freeze-fs", "guest-fsfreeze")
_FOR_BACKUPS: Final = "freeze-fs-on-backup"
_FIRST_FOR_SNAPSHOTS: Final = 9
"""Up to release 8 the agent's option holds for backups only."""


async def refuse_freeze(world: World, step: Step, found: Found, *, backup: bool) -> None:
    """Return when no freeze is to be expected, or the host may be frozen.

    The API has no parameter for it: only the VM's `agent` option, its power and its memory decide.
    Raises: Refused when the inventory wants none, or the host runs pvenix, which would be frozen with it.
    """
    machine = world.host(step).machine
    if machine.snapshot.freeze and not is_self(world, step.host):
        return
    power = await world.pve.power(found.node, found.vmid)
    if power.status != "running" or not power.agent:
        return
    honoured = backup or int((await world.pve.version()).partition(".")[0]) >= _FIRST_FOR_SNAPSHOTS
    if honoured and switched_off(found.config.values.get("agent", ""), backup=backup):
        return
    option = f"{_FOR_BACKUPS}=0" if backup else "guest-fsfreeze=0 (from Proxmox 9 on)"
    other = "" if backup else ", or with its memory, which freezes nothing: --memory"
    raise Refused(
        f"Proxmox would freeze the file systems of {step.host}",
        why="it runs pvenix, which would hang with it"
        if is_self(world, step.host)
        else "the inventory says snapshot.freeze: false",
        hint=f"shut it down first{other}; or give the VM's agent option {option}",
        code="PVX0905",
    )


def switched_off(agent: str, *, backup: bool) -> bool:
    """True when the VM's agent option says that nothing is to be frozen."""
    names = (*_SWITCHES, _FOR_BACKUPS) if backup else _SWITCHES
    return any(f"{name}=0" in agent.split(",") for name in names)


async def end_or_thaw(world: World, step: Step, found: Found, upid: str, *, timeout_s: float) -> TaskResult:
    """As `task_end`; when the task says nothing for `STALL_S`, the guest is thawed once, and the wait goes on.

    Raises: RemoteFailure with the task's error, OutcomeUnknown when it does not end within `timeout_s`.
    """
    step.evidence(upid=upid)
    clock, lines = world.clock, _Lines(step)
    deadline, thawed = clock.monotonic() + timeout_s, False
    while True:
        began, seen = clock.monotonic(), lines.count
        patience = min(STALL_S, deadline - began)
        try:
            return ended_well(await world.pve.wait(upid, timeout_s=patience, on_line=lines.take))
        except OutcomeUnknown:
            now = clock.monotonic()
            if now >= deadline or now - began < patience:
                raise
        if lines.count == seen and not thawed:
            await _thaw(world, step, found)
            thawed = True
        lines.again()


async def _thaw(world: World, step: Step, found: Found) -> None:
    step.sends("agent", "fsfreeze-thaw")
    try:
        count = await world.pve.agent_thaw(found.node, found.vmid)
    except PvenixError as error:
        step.tell(f"the task has said nothing for {STALL_S:.0f} s, and the guest cannot be thawed: {error}")
        return
    state = (
        f"{count} of its file systems were frozen and are thawed" if count else "none of its file systems was frozen"
    )
    step.tell(f"the task has said nothing for {STALL_S:.0f} s; the guest was thawed, {state}")


class _Lines:
    """Hands the lines of a task on once, though each wait reads its log from the beginning."""

    def __init__(self, step: Step) -> None:
        self.count = 0
        self._step = step
        self._at = 0

    def again(self) -> None:
        """The next line is the log's first one."""
        self._at = 0

    def take(self, line: str) -> None:
        self._at += 1
        if self._at > self.count:
            self.count = self._at
            self._step.output(line)
