"""Start the VM, pin its host key through the guest agent, and wait until it takes commands, all in one boot."""

from __future__ import annotations

from dataclasses import replace

from pvenix.engine.ports import KEY_CHANGED, KEY_REFUSED
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.addresses import fixed_addresses
from pvenix.lifecycle.agentpath import AgentReader, Reader
from pvenix.lifecycle.bootphases import agent_answers, cloud_init_ends, has_address, next_steps, place
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.evidence import shown_state
from pvenix.lifecycle.identity import is_first_boot, machine_twin, pin, pinned, refuse_twin, twin
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.waiting import unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused, RemoteFailure, Unreachable
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_START_TIMEOUT_S = 120.0
_SAME = "its machine id is that of {} too: clean the template"
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
    agent, same = await agent_answers(world, step, found), ""
    if agent:
        await pin(world, step, found)
        same = await machine_twin(world, step, found)
        await has_address(world, step, found)
    for _ in range(_BOOTS):
        try:
            reader = await _log_in(world, step, found, first=first, agent=agent)
        except Refused as error:
            if same:
                error.hint = f"{_SAME.format(same)}, and DHCP may give both one address"
            raise
        outcome = await _settled(world, step, found, reader, first=first, agent=agent)
        if outcome is not None:
            return replace(outcome, summary=f"{outcome.summary}; {_SAME.format(same)}") if same else outcome
        step.tell("the guest boots anew; waiting for it again")
    raise RemoteFailure(
        f"{step.host} boots again and again",
        why=f"{_BOOTS} times its boot id changed or its connection ended before cloud-init had",
        hint=next_steps(step, "see what makes it boot"),
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
        start = VmCalls.on(world.pve, found, {}).start()
        await carried_out(world, step, start, Use(node=found.node), timeout_s=_START_TIMEOUT_S)
    except (OutcomeUnknown, RemoteFailure):
        if not await world.vms.running(found):
            raise


async def _log_in(world: World, step: Step, found: Found, *, first: bool, agent: bool) -> Reader:
    """The host over SSH; through its agent when no address takes our login in time and the agent does.

    Raises: Refused when it shows another key than the agent delivers, RemoteFailure when nothing answers.
    """
    step.tell("waiting for SSH")
    said: list[PvenixError] = []

    async def answering() -> Remote | None:
        try:
            session = await world.ways.session(step.host, facts=place(found), tell=step.tell, probing=True)
        except (Unreachable, RemoteFailure) as error:
            said[:] = [error]
        except Refused as error:
            said[:] = [error]
            if not await _may_pass(world, step, found, error, first=first, agent=agent):
                raise
        else:
            return Remote(session=session, step=step)
        return None

    timeout_s = world.host(step).machine.bootstrap.ssh_timeout_s
    try:
        return await until(answering, clock=world.clock, timeout_s=timeout_s, what=f"SSH of {step.host}")
    except OutcomeUnknown as error:
        if said and isinstance(said[0], Refused) and said[0].code == KEY_CHANGED:
            raise said[0] from error
        why = str(said[0]) if said else ""
        silent = not said or isinstance(said[0], Unreachable)
        if agent and silent and await world.pve.agent_ping(found.node, found.vmid):
            step.tell(f"SSH does not answer ({why}); reading through the guest agent")
            return AgentReader(world, step, found, because=why)
        raise RemoteFailure(
            f"{step.host} took no login within {timeout_s:.0f} s",
            why=why,
            hint=next_steps(step, said[0].hint if said else "is sshd enabled, and its port open?"),
            evidence=(*(said[0].evidence if said else ()), *await shown_state(world, found)),
            code="PVX0592",
        ) from error


async def _may_pass(world: World, step: Step, found: Found, error: Refused, *, first: bool, agent: bool) -> bool:
    """True when what refused us may be over in a moment."""
    if error.code == KEY_REFUSED:
        return True  # sshd may answer before cloud-init has written the keys
    if error.code != KEY_CHANGED or not agent:
        return False
    if first and await pin(world, step, found, renewed=True):
        return True  # cloud-init has made a new key meanwhile
    try:
        own = await world.ways.of_agent(step.host, place(found))
    except (Unreachable, RemoteFailure):
        return True  # nobody knows yet where else it is
    fixed = set(fixed_addresses(world.host(step)))
    return bool(fixed) and not {each.address for each in own} <= fixed


async def _settled(
    world: World, step: Step, found: Found, reader: Reader, *, first: bool, agent: bool
) -> Outcome | None:
    """The end of the boot; None when the guest has booted anew meanwhile, so that nothing of it counts.

    Raises: Refused when its key is another host's too, RemoteFailure.
    """
    try:
        boot_id = (await reader.read(argv.BOOT_ID)).strip()
        await cloud_init_ends(world, step, found, reader)
        if agent:
            await pin(world, step, found, renewed=first)
        refuse_twin(world, step.host)
        await reader.read(argv.NOTHING, sudo=True, timeout_s=30)
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
        summary=summary,
        facts={"boot_id": boot_id, "uuid": found.config.uuid} | ({"address": seen.address} if over_ssh else {}),
    )
