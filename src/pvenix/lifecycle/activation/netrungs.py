"""The rungs of the second net. Each returns only what was read back, and raises why it did not help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from pvenix.engine.step import Step
from pvenix.lifecycle import argv, restore
from pvenix.lifecycle.activation import deadman, fence, words
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.activation.deadman import CONFIRMED
from pvenix.lifecycle.activation.follow import properties_in
from pvenix.lifecycle.agentsession import through_agent
from pvenix.lifecycle.asked import ask_once, seen_tasks
from pvenix.lifecycle.calls import VmCalls
from pvenix.lifecycle.facts import units_in
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.reboot import RESET
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Outcome, Status

UNHEARD: Final = (Unreachable, OutcomeUnknown, RemoteFailure, Refused)
"""Why a rung may not help; what this machine lacks is something else."""
_SWITCH_S: Final = 300.0
"""How long the way back may take that was asked for through the agent."""
_SSH_S: Final = 30.0
"""How long SSH may take to come back once the agent has shown the old system."""
_PAUSE_S: Final = 2.0
_RESET_TASK_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallen:
    """An attempt whose host does not answer."""

    world: World
    step: Step
    attempt: Attempt
    found: Found

    @property
    def agent(self) -> Remote:
        """The host through its guest agent."""
        return through_agent(self.world, self.step, self.found)

    async def ssh(self) -> Remote | None:
        """The host over a new connection that takes commands as root, None when it does not answer."""
        try:
            remote = Remote(session=await self.world.ways.fresh(self.step.host), step=self.step)
            await remote.read(argv.NOTHING, sudo=True, timeout_s=15)
        except UNHEARD:
            return None
        return remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a host does, read over whatever it answers on."""

    boot_id: str
    current: str
    profile: str
    failed: tuple[str, ...]
    token: tuple[str, ...]
    """Where the dead-man's token is."""
    at_work: tuple[str, ...]
    """Units of the attempt that are on the way back."""

    def old(self, attempt: Attempt) -> bool:
        """True when what ran, or was booted by default, before the attempt runs and boots again."""
        return self.current in (attempt.old, attempt.profile) and self.profile == attempt.profile and not self.at_work

    def refuse_other_default(self, attempt: Attempt) -> None:
        """Return when the next boot leads to the system from before the attempt.

        Raises: Refused when it was confirmed, or somebody made another one the boot default.
        """
        if CONFIRMED in self.token or self.profile != attempt.profile:
            raise Refused("its boot default is not the old system any more", why=str(self), code="PVX0625")

    @override
    def __str__(self) -> str:
        parts = [f"runs {short_store_path(self.current)}", f"boots {short_store_path(self.profile)} next"]
        parts += [f"failed: {', '.join(self.failed)}"] if self.failed else []
        parts += [f"token at {', '.join(self.token) or 'no place'}"]
        parts += [f"on the way back: {', '.join(self.at_work)}"] if self.at_work else []
        return "; ".join(parts)


async def look(remote: Remote, attempt: Attempt) -> Seen:
    """What the host does now.

    Raises: RemoteFailure, OutcomeUnknown, Refused.
    """
    systems = (await remote.read(argv.SYSTEMS)).splitlines()
    if len(systems) != 3:
        raise OutcomeUnknown("what the host runs is not known", why=f"it printed {systems[:4]!r}")
    token = await deadman.tokens(remote, attempt)
    units = (*deadman.dead_men(attempt), words.revert_unit(attempt.id))
    return Seen(
        boot_id=(await remote.read(argv.BOOT_ID)).strip(),
        current=systems[1],
        profile=systems[2],
        failed=units_in(await remote.read(argv.FAILED_UNITS)),
        token=tuple(sorted(token)),
        at_work=tuple([unit for unit in units if await _works(remote, unit, fired=words.FIRED in token)]),
    )


async def _works(remote: Remote, unit: str, *, fired: bool) -> bool:
    """True while the unit goes back; a dead-man that has not its token yet only sleeps, in the state of one that has."""
    state = properties_in(await remote.read(argv.unit_state(unit))).get("SubState")
    return state in ({"start", "running", "start-pre"} if fired else {"start", "running"})


# --- the guest agent -------------------------------------------------------------------------------------------------


async def by_agent(fallen: Fallen) -> Outcome:
    """Look through the agent; unless the old system runs, have the host go back to it, and see that it did.

    A host that runs the old system is left in peace, though SSH may stay dead: a reset would boot the same.
    Raises: RemoteFailure, OutcomeUnknown, Refused.
    """
    world, attempt, found = fallen.world, fallen.attempt, fallen.found
    if not await world.pve.agent_ping(found.node, found.vmid):
        raise RemoteFailure("the guest agent does not answer", code="PVX0626")
    seen = await look(fallen.agent, attempt)
    fallen.step.tell(f"seen through the guest agent: {seen}")
    seen.refuse_other_default(attempt)
    by = "its dead-man went back" if seen.boot_id == attempt.boot_id else "it booted its boot default"
    if fallen.step.known.get("net_agent") == attempt.id or not (seen.old(attempt) or seen.at_work):
        by = "it went back as asked through the guest agent"
        await _ask_to_go_back(fallen)
    return await _back(fallen, await _until_old(world, lambda: look(fallen.agent, attempt), attempt), by)


async def _ask_to_go_back(fallen: Fallen) -> None:
    """As the transaction does over SSH; the unit's name keeps a second process from starting another one."""
    attempt, remote = fallen.attempt, fallen.agent
    await fallen.step.intend(net_agent=attempt.id)
    await remote.try_write(words.stop_unit(words.activation_unit(attempt.id)))
    await deadman.start_once(remote, words.revert(attempt.id, old=attempt.old), words.revert_unit(attempt.id))


async def _until_old(world: World, see: Callable[[], Awaitable[Seen]], attempt: Attempt) -> Seen:
    """What is seen once the old system runs; silence is waited out.

    Raises: OutcomeUnknown when it does not come to that in time.
    """
    deadline = world.clock.monotonic() + _SWITCH_S
    while True:
        try:
            seen = await see()
            last = str(seen)
            if seen.old(attempt):
                return seen
        except UNHEARD as error:
            last = str(error)
        if world.clock.monotonic() >= deadline:
            raise OutcomeUnknown(f"not seen to run within {_SWITCH_S:.0f} s: the old system", why=last, code="PVX0627")
        await world.clock.sleep(_PAUSE_S)


# --- the reset button ------------------------------------------------------------------------------------------------


async def by_reset(fallen: Fallen) -> Outcome:
    """Press reset once, and see the boot default run.

    Raises: RemoteFailure, OutcomeUnknown, Refused, also when the host has another boot default by now.
    """
    world, step, found = fallen.world, fallen.step, fallen.found
    if step.known.get("net_reset") != fallen.attempt.id:
        await _refuse_other_default(fallen)
        seen = await seen_tasks(world, found, RESET.task)
        await step.intend(net_reset=fallen.attempt.id, vmid=str(found.vmid), node=found.node, seen=seen, upid="")
    await ask_once(world, step, found, VmCalls.on(world.pve, found, {}).reset(), RESET.task, timeout_s=_RESET_TASK_S)
    return await _back(fallen, await _booted(fallen), "a reset booted it")


async def _refuse_other_default(fallen: Fallen) -> None:
    """Raises: Refused when the agent shows that the next boot would not lead to the old system."""
    try:
        seen = await look(fallen.agent, fallen.attempt)
    except UNHEARD:
        return  # the boot default of an unconfirmed attempt was never changed
    seen.refuse_other_default(fallen.attempt)


async def _booted(fallen: Fallen) -> Seen:
    """What runs after another boot: over SSH, or through the agent when SSH stays dead on the old system too.

    Raises: OutcomeUnknown when the old system is not seen in the time that the agent and SSH may take.
    """
    world, attempt = fallen.world, fallen.attempt
    fallen.step.tell("waiting for the boot of the old system")
    bootstrap = world.host(fallen.step).machine.bootstrap
    patience = world.clock.monotonic() + bootstrap.ssh_timeout_s
    deadline = patience + bootstrap.agent_timeout_s
    while True:
        ssh = await fallen.ssh()
        try:
            seen = await look(ssh or fallen.agent, attempt)
            last, is_back = str(seen), seen.boot_id != attempt.boot_id and seen.old(attempt)
            if is_back and (ssh or world.clock.monotonic() >= patience):
                return seen
        except UNHEARD as error:
            last = str(error)
        if world.clock.monotonic() >= deadline:
            raise OutcomeUnknown("the old system was not seen to boot", why=last, code="PVX0628")
        await world.clock.sleep(_PAUSE_S)


# --- the snapshot ----------------------------------------------------------------------------------------------------


async def by_snapshot(fallen: Fallen) -> Outcome:
    """Go back to the snapshot that this very step took before it activated, start the VM, and see the old system run.

    Raises: RemoteFailure when there is none or Proxmox does not go back, OutcomeUnknown, Refused.
    """
    world, step, found = fallen.world, fallen.step, fallen.found
    name = step.known.get("update_snapshot", "")
    if not name:
        raise RemoteFailure("none was taken before the update", code="PVX0629")
    if step.known.get("net_snapshot") != fallen.attempt.id:
        for line in await restore.losses(world, step.host, name):
            step.tell(line)
        await restore.intend(world, step, found, net_snapshot=fallen.attempt.id)
    await restore.back_at(world, step, found, name)
    return await _back(fallen, await _booted(fallen), f"it was put back to snapshot {name}")


# --- the end ---------------------------------------------------------------------------------------------------------


async def _back(fallen: Fallen, seen: Seen, by: str) -> Outcome:
    """Leave nothing of the attempt in the way of the next one; rolled back is what was read, over SSH or not."""
    step, attempt, clock = fallen.step, fallen.attempt, fallen.world.clock
    deadline = clock.monotonic() + _SSH_S
    while (ssh := await fallen.ssh()) is None and clock.monotonic() < deadline:
        await clock.sleep(_PAUSE_S)
    over = ssh or fallen.agent
    try:
        await deadman.disarm(over, attempt, "reverted")
        await deadman.stop(over, *deadman.all_units(attempt))
        await fence.release(over, attempt.id)
    except UNHEARD as error:
        step.tell(f"what is left of the attempt was not cleared away: {error}")
    contact, hint = "SSH answers again", f"the log is {words.activation_log(attempt.id)} on the host"
    if ssh is None:
        contact = "SSH does not answer all the same"
        hint = f"its fault is not the new system alone: pvenix console {step.host}"
    return Outcome(
        status=Status.ROLLED_BACK,
        summary=f"{step.known['reason']}; {by}: the old system runs, {contact}",
        hint=hint,
        evidence=(str(seen),),
        facts={"current": seen.current},
    )
