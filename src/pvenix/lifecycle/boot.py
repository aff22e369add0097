"""Start the VM, pin its host key through the guest agent, and wait until it takes commands."""

from __future__ import annotations

from pvenix.engine.ports import KEY_CHANGED, KEY_REFUSED, Target
from pvenix.engine.step import Commands, Step
from pvenix.engine.trust import Pin, parse_host_key
from pvenix.lifecycle import argv
from pvenix.lifecycle.addresses import choose_addresses
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.waiting import task_end, unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_START_TIMEOUT_S = 120.0
_PROBE_TIMEOUT_S = 3.0
_CLOUD_INIT_TIMEOUT_S = 600.0


async def probe(world: World, step: Step) -> Probe:
    """Done when the VM runs, its key is pinned and a command succeeds over SSH."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM yet")
    if "vmid" in step.known:
        return needed("an interrupted attempt may not have seen the first boot through")
    if not await world.vms.running(found):
        return needed(f"VM {found.vmid} is stopped")
    pin = world.trust.get(step.host)
    if pin is None or (pin.uuid and pin.uuid != found.config.uuid):
        return needed("its host key is not pinned")
    try:
        remote = await world.remote(step)
        await remote.read(argv.NOTHING, sudo=True, timeout_s=15)
    except (Unreachable, OutcomeUnknown, RemoteFailure) as error:
        return needed(f"it does not take commands: {error}")
    return done(f"runs on {found.node}, key pinned, SSH and sudo work")


async def apply(world: World, step: Step) -> Outcome:
    """Start, wait for the agent, pin, choose the address, log in, wait for cloud-init and sudo."""
    found = await world.vms.of(step)
    first = _is_first_boot(world, step, found)
    await _start(world, step, found)
    bootstrap = world.host(step).machine.bootstrap
    step.tell("waiting for the guest agent")
    await _wait_for_agent(world, found, bootstrap.agent_timeout_s)
    await _pin(world, step, found)
    step.tell("waiting for SSH")
    target = await until(
        lambda: _answering(world, step, found, first=first),
        clock=world.clock,
        timeout_s=bootstrap.ssh_timeout_s,
        what=f"SSH of {step.host}",
    )
    remote = Remote(session=await world.guest.fresh_session(target), step=step)
    step.tell("waiting for cloud-init")
    first_boot = await remote.try_read(argv.CLOUD_INIT_DONE, timeout_s=_CLOUD_INIT_TIMEOUT_S)
    # 2 is "done, with recoverable errors" since cloud-init 23.4; minimal images end so and work.
    if first_boot.exit_status not in (0, 2):
        step.tell(f"cloud-init ended with status {first_boot.exit_status}; going on, as SSH works")
    await _pin(world, step, found, renewed=first)
    await remote.read(argv.NOTHING, sudo=True, timeout_s=30)
    boot_id = (await remote.read(argv.BOOT_ID)).strip()
    return Outcome(
        status=Status.CHANGED,
        summary=f"answers at {target.address}",
        facts={"address": target.address, "boot_id": boot_id, "uuid": found.config.uuid},
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
    await unlocked(world, step, found)
    await step.intend(vmid=str(found.vmid))
    try:
        upid = await VmCalls.on(world.pve, found, {}).start().send(step)
        await task_end(world, step, upid, timeout_s=_START_TIMEOUT_S)
    except (OutcomeUnknown, RemoteFailure):
        if not await world.vms.running(found):
            raise


async def _wait_for_agent(world: World, found: Found, timeout_s: float) -> None:
    async def answers() -> bool | None:
        return await world.pve.agent_ping(found.node, found.vmid) or None

    try:
        await until(answers, clock=world.clock, timeout_s=timeout_s, what="the guest agent")
    except OutcomeUnknown as error:
        status = (await world.pve.power(found.node, found.vmid)).status
        raise RemoteFailure(
            f"the guest agent of VM {found.vmid} did not answer within {timeout_s:.0f} s",
            why=f"the VM is {status}",
            hint="is the agent enabled in the template (services.qemuGuest) and in the VM's options? "
            "Look at its console, then `pvenix boot` again",
            code="PVX0518",
        ) from error


def _is_first_boot(world: World, step: Step, found: Found) -> bool:
    """True while no key of this VM is in force, or only one that an interrupted first boot has left here.

    Cloud-init makes a new instance's keys anew, on NixOS in cloud-config.service, which sshd does not wait for
    (nixpkgs: nixos/modules/services/system/cloud-init.nix): the first key that the agent delivers need not be the last.
    """
    pin = world.trust.get(step.host)
    if pin is None or (pin.uuid and pin.uuid != found.config.uuid):
        return True
    return "vmid" in step.known and not world.trust.shared(step.host)


async def _pin(world: World, step: Step, found: Found, *, renewed: bool = False) -> bool:
    """Read the host key through the agent and pin it; True when another one was in force.

    Raises: Refused when the same VM shows another key than the pinned one, unless its keys are being made (`renewed`).
    """

    async def key() -> str | None:
        try:
            return await world.pve.agent_read_file(found.node, found.vmid, argv.HOST_KEY)
        except RemoteFailure:
            return None  # the agent goes away for a moment when the first boot restarts it

    step.asks("agent", f"file-read {argv.HOST_KEY}")
    text = await until(key, clock=world.clock, timeout_s=60, what=f"{argv.HOST_KEY} on {step.host}")
    pin = Pin(key=parse_host_key(text), uuid=found.config.uuid)
    if pin == world.trust.get(step.host):
        return False
    world.trust.pin(step.host, pin, renewed=renewed)
    step.tell(f"pinned {pin.key[:40]}…")
    return True


async def _answering(world: World, step: Step, found: Found, *, first: bool) -> Target | None:
    """The first of the guest's addresses that takes our login: fixed by the inventory, else the agent's.

    Raises: Refused when it shows another key than the agent delivers.
    """
    fixed = world.host(step).machine.network.ip
    try:
        addresses = (
            (fixed,)
            if fixed
            else choose_addresses(await world.pve.agent_interfaces(found.node, found.vmid), found.config)
        )
    except RemoteFailure:
        return None  # as for the host key: the agent may be away for a moment
    targets = [await world.target(step.host, address) for address in addresses]
    async with Together() as group:
        probes = [group.create_task(world.guest.reachable(target, timeout_s=_PROBE_TIMEOUT_S)) for target in targets]
    for target, reached in zip(targets, probes, strict=True):
        try:
            if reached.result() is not None and await _logs_in(world, target):
                return target
        except Refused as error:
            if error.code != KEY_CHANGED or not first or not await _pin(world, step, found, renewed=True):
                raise
            return None  # cloud-init has made a new key meanwhile
    return None


async def _logs_in(world: World, target: Target) -> bool:
    """True once the guest takes our login; sshd may answer before cloud-init has written the keys."""
    try:
        await world.guest.session(target)
    except Unreachable:
        return False
    except Refused as error:
        if error.code != KEY_REFUSED:
            raise
        return False
    return True
