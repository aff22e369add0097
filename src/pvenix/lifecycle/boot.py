"""Start the VM, pin its host key through the guest agent, and wait until it takes commands.

Each phase has its own time. One that passes ends the step with what Proxmox knows of the VM and what a person can do.
"""

from __future__ import annotations

from collections.abc import Mapping

from pvenix.engine.ports import KEY_CHANGED, KEY_REFUSED
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.addresses import fixed_addresses
from pvenix.lifecycle.agentpath import AgentReader, Reader
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.evidence import shown_state
from pvenix.lifecycle.identity import is_first_boot, machine_id, pin, pinned, refuse_twin, twin
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.waiting import task_end, unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused, RemoteFailure, Unreachable
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_START_TIMEOUT_S = 120.0
_BOOTS = 3
"""How often a guest may boot anew before it is told that it does so again and again: cloud-init reboots it once."""


async def probe(world: World, step: Step) -> Probe:
    """Done when the VM runs, its key is pinned and a command succeeds over SSH."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM yet")
    if "vmid" in step.known:
        return needed("an interrupted attempt may not have seen the first boot through")
    if not await world.vms.running(found):
        return needed(f"VM {found.vmid} is stopped")
    if not pinned(world, step.host, found):
        return needed("its host key is not pinned")
    if other := twin(world, step.host):
        return needed(f"its host key is that of {other} too")
    try:
        remote = await world.remote(step)
        await remote.read(argv.NOTHING, sudo=True, timeout_s=15)
    except (Unreachable, OutcomeUnknown, RemoteFailure) as error:
        return needed(f"it does not take commands: {error}")
    return done(f"runs on {found.node}, key pinned, SSH and sudo work")


async def apply(world: World, step: Step) -> Outcome:
    """Start, wait for the agent, pin, find the address, log in, wait for cloud-init and sudo, all in one boot."""
    found = await world.vms.of(step)
    first = is_first_boot(world, step, found)
    await _start(world, step, found)
    agent = await _agent_answers(world, step, found)
    if agent:
        await pin(world, step, found)
        await _has_address(world, step, found)
    for _ in range(_BOOTS):
        reader = await _log_in(world, step, found, first=first, agent=agent)
        outcome = await _settled(world, step, found, reader, first=first, agent=agent)
        if outcome is not None:
            return outcome
        step.tell("the guest boots anew; waiting for it again")
    raise RemoteFailure(
        f"{step.host} boots again and again",
        why=f"its boot id changed {_BOOTS} times while cloud-init was waited for",
        hint=_next(step, "see what makes it boot"),
        evidence=await shown_state(world, found),
        code="PVX0578",
    )


async def commands(world: World, step: Step) -> Commands:
    """The start, unless the VM runs; everything else that `apply` sends only reads."""
    found = await world.vms.find(step.host, step.facts)
    if found is not None and await world.vms.running(found):
        return ()
    return shown([VmCalls.on(world.pve, found, step.facts).start()])


async def _start(world: World, step: Step, found: Found) -> None:
    if await world.vms.running(found):
        return
    world.ways.forget(step.host)
    await unlocked(world, step, found)
    await step.intend(vmid=str(found.vmid))
    try:
        upid = await VmCalls.on(world.pve, found, {}).start().send(step)
        await task_end(world, step, upid, timeout_s=_START_TIMEOUT_S)
    except (OutcomeUnknown, RemoteFailure):
        if not await world.vms.running(found):
            raise


# --- phases ----------------------------------------------------------------------------------------------------------


async def _agent_answers(world: World, step: Step, found: Found) -> bool:
    """True once the agent answers; False when it stays silent and the host can be proved and reached without it.

    Raises: RemoteFailure when it stays silent otherwise.
    """
    step.tell("waiting for the guest agent")
    timeout_s = world.host(step).machine.bootstrap.agent_timeout_s

    async def answers() -> bool | None:
        return await world.pve.agent_ping(found.node, found.vmid) or None

    try:
        return await until(answers, clock=world.clock, timeout_s=timeout_s, what="the guest agent")
    except OutcomeUnknown as error:
        fixed = fixed_addresses(world.host(step))
        if fixed and pinned(world, step.host, found):
            step.tell(f"no agent within {timeout_s:.0f} s; going on at {' or '.join(fixed)} with the pinned key")
            return False
        power = await world.pve.power(found.node, found.vmid)
        raise RemoteFailure(
            f"the guest agent of VM {found.vmid} did not answer within {timeout_s:.0f} s",
            why=f"the VM is {power.status}" + ("" if power.agent else " and its options name no agent"),
            hint=_next(
                step,
                "is the agent enabled in the template (services.qemuGuest) and in the VM's options?",
                f"without an agent: give {step.host} a fixed machine.network.address and put the host key that its "
                f"console shows into inventory/trust/{step.host}",
            ),
            evidence=await shown_state(world, found),
            code="PVX0518",
        ) from error


async def _has_address(world: World, step: Step, found: Found) -> None:
    """Return once an address is known: fixed, or reported by the agent on the VM's own cards.

    Raises: RemoteFailure with what the agent reported instead.
    """
    host = world.host(step)
    if fixed_addresses(host):
        return
    step.tell("waiting for an address")
    said: list[str] = []

    async def known() -> bool | None:
        try:
            return bool(await world.ways.of_agent(step.host, _place(found)))
        except (Unreachable, RemoteFailure) as error:
            said[:] = [str(error)]
            return None  # the agent goes away for a moment when the first boot restarts it

    timeout_s = host.machine.bootstrap.address_timeout_s
    try:
        await until(known, clock=world.clock, timeout_s=timeout_s, what=f"an address of {step.host}")
    except OutcomeUnknown as error:
        raise RemoteFailure(
            f"{step.host} had no usable address within {timeout_s:.0f} s",
            why=said[0] if said else "",
            hint=_next(
                step,
                "is its card on the right bridge and VLAN, and does DHCP answer there?",
                f"else fix its address: pvenix host edit {step.host} network.address=IP/PREFIX",
            ),
            evidence=(*await _interfaces(world, found), *await shown_state(world, found)),
            code="PVX0579",
        ) from error


async def _interfaces(world: World, found: Found) -> tuple[str, ...]:
    """What the agent reports, a line for each interface."""
    try:
        seen = await world.pve.agent_interfaces(found.node, found.vmid)
    except PvenixError:
        return ()
    return tuple(f"{each.name} {each.mac}: {' '.join(each.addresses) or 'no address'}" for each in seen[:8])


async def _log_in(world: World, step: Step, found: Found, *, first: bool, agent: bool) -> Reader:
    """The host over SSH; through its agent when no address takes our login in time and the agent does.

    Raises: Refused when it shows another key than the agent delivers, RemoteFailure when nothing answers.
    """
    step.tell("waiting for SSH")
    said: list[PvenixError] = []

    async def answering() -> Remote | None:
        try:
            session = await world.ways.session(step.host, facts=_place(found), tell=step.tell, probing=True)
        except (Unreachable, RemoteFailure) as error:
            said[:] = [error]
        except Refused as error:
            said[:] = [error]
            if error.code == KEY_REFUSED:
                return None  # sshd may answer before cloud-init has written the keys
            if error.code != KEY_CHANGED or not first or not await pin(world, step, found, renewed=True):
                raise  # else cloud-init has made a new key meanwhile
        else:
            return Remote(session=session, step=step)
        return None

    timeout_s = world.host(step).machine.bootstrap.ssh_timeout_s
    try:
        return await until(answering, clock=world.clock, timeout_s=timeout_s, what=f"SSH of {step.host}")
    except OutcomeUnknown as error:
        why = str(said[0]) if said else ""
        if agent and (not said or isinstance(said[0], Unreachable)):
            step.tell(f"SSH does not answer ({why}); reading through the guest agent")
            return AgentReader(world, step, found)
        raise RemoteFailure(
            f"{step.host} took no login within {timeout_s:.0f} s",
            why=why,
            hint=_next(step, said[0].hint if said else "is sshd enabled, and its port open?"),
            evidence=(*(said[0].evidence if said else ()), *await shown_state(world, found)),
            code="PVX0580",
        ) from error


async def _settled(
    world: World, step: Step, found: Found, reader: Reader, *, first: bool, agent: bool
) -> Outcome | None:
    """The end of the boot; None when the guest has booted anew meanwhile, so that nothing of it counts.

    Raises: Refused when its key is another host's too, RemoteFailure.
    """
    try:
        boot_id = (await reader.read(argv.BOOT_ID)).strip()
        await _cloud_init_ends(world, step, found, reader)
        if agent:
            await pin(world, step, found, renewed=first)
        refuse_twin(world, step.host)
        await reader.read(argv.NOTHING, sudo=True, timeout_s=30)
        same = await machine_id(world, step, reader)
        if (await reader.read(argv.BOOT_ID)).strip() != boot_id:
            return None
    except OutcomeUnknown as error:
        step.tell(f"the connection ended: {error}")
        return None
    seen = world.ways.reached(step.host)
    over_ssh = isinstance(reader, Remote)
    summary = f"answers at {seen.address}" if over_ssh else "answers through its guest agent only, SSH does not"
    return Outcome(
        status=Status.CHANGED,
        summary=summary + (f"; its machine id is that of {same} too: clean the template" if same else ""),
        facts={"boot_id": boot_id, "uuid": found.config.uuid} | ({"address": seen.address} if over_ssh else {}),
    )


async def _cloud_init_ends(world: World, step: Step, found: Found, reader: Reader) -> None:
    """Return when cloud-init has ended, well or not: what it could not do shows in what comes next.

    Raises: RemoteFailure when it does not end in time, OutcomeUnknown when the connection is lost.
    """
    step.tell("waiting for cloud-init")
    timeout_s, began = world.host(step).machine.bootstrap.cloudinit_timeout_s, world.clock.monotonic()
    try:
        status = (await reader.try_read(argv.CLOUD_INIT_DONE, timeout_s=timeout_s)).exit_status
    except RemoteFailure as error:
        step.tell(f"cloud-init cannot be asked ({error}); going on")
        return
    except OutcomeUnknown as error:
        if world.clock.monotonic() - began < timeout_s:
            raise
        raise RemoteFailure(
            f"cloud-init of {step.host} did not end within {timeout_s:.0f} s",
            hint=_next(step, f"see where it stands: `cloud-init status --long` on {step.host}"),
            evidence=(*error.evidence, *await shown_state(world, found)),
            code="PVX0581",
        ) from error
    # 2 is "done, with recoverable errors" since cloud-init 23.4; minimal images end so and work.
    if status not in (0, 2):
        step.tell(f"cloud-init ended with status {status}; going on, as the guest answers")


def _place(found: Found) -> Mapping[str, str]:
    return {"node": found.node, "vmid": str(found.vmid)}


def _next(step: Step, *first: str) -> str:
    """What a person can do now."""
    ways = [f"look at it: pvenix console {step.host}", f"go on: pvenix boot {step.host}"]
    return "; ".join([*first, *ways, f"give up: pvenix retire {step.host}"])
