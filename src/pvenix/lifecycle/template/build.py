"""Make a host's VM the next template: build the fleet's template system on it, take its identity away, convert it."""

from __future__ import annotations

from pvenix.engine.ports import VmConfig
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import preflight
from pvenix.lifecycle.build import deliver, out_path
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.identity import pinned
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.placement.templates import ROOT_DISK, disks_in, templates_of
from pvenix.lifecycle.remote import Remote, as_text
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.template import sealing
from pvenix.lifecycle.template.candidate import Candidate, refuse_real_hosts, template_of
from pvenix.lifecycle.template.converting import settings
from pvenix.lifecycle.template.health import LOCK
from pvenix.lifecycle.template.marks import Made, locked_nixpkgs, made_in
from pvenix.lifecycle.waiting import unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused, RemoteFailure
from pvenix.model.names import CommitId, node_name, vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_BUILD_TIMEOUT_S = 6900.0
_OFF_TIMEOUT_S = 300.0
_TASK_TIMEOUT_S = 600.0


async def probe(world: World, step: Step) -> Probe:
    """Done only when an earlier attempt of this very step made the template."""
    host = world.host(step)
    await refuse_real_hosts(world, host)
    if "identity" in step.known and _is_made(await _its_config(world, step)):
        candidate = _candidate(step)
        return done(f"VM {candidate.vmid} is a template", **candidate.facts)
    found = await world.vms.find(step.host, step.facts)
    if found is None and "uuid" not in step.known:
        return needed(f"{step.host} has no VM yet")
    shown_as = found.vmid if found is not None else step.known["vmid"]
    return needed(f"VM {shown_as} will be the next template {template_of(world, host).name}")


async def apply(world: World, step: Step) -> Outcome:
    """Build, seal, see it off, convert, read back."""
    if "sealing" not in step.known:
        await _build_and_seal(world, step)
    else:
        await _seal_after_all(world, step)
    await _see_off(world, step)
    candidate, made = _candidate(step), _made(step)
    await _convert(world, step, candidate, made)
    world.survey.outdated()
    return Outcome(
        status=Status.CHANGED,
        summary=f"template {candidate.vmid} on {candidate.node}, of {made.commit[:10]} and nixpkgs {made.nixpkgs[:10]}",
        facts=candidate.facts,
    )


async def commands(world: World, step: Step) -> Commands:
    """The commands and calls of `apply`; what is only known after the build stands in angle brackets."""
    host, commit, link = world.host(step), await world.expected(), f"{argv.attempt_dir(step.run)}/new"
    found = await world.vms.find(step.host, step.facts)
    words = (
        argv.make_dir(argv.attempt_dir(step.run)),
        *await _delivering(world, step, found, commit),
        sealing.build(commit, link),
        argv.set_profile("<system>"),
        sealing.DROP_OLD,
        argv.switch_to("<system>", "boot"),
        sealing.seal(step.run, system="<running system>", user=host.machine.bootstrap.user),
    )
    vm = VmCalls.on(world.pve, found, step.facts)
    changed, delete = settings(
        template_of(world, host),
        await _before(world, step),
        found.config if found is not None else VmConfig(values={}, digest=""),
        Made(nixpkgs=await _pinned(world, commit), commit=commit, at=_now(world)),
    )
    return (
        *(("ssh", as_text(each, sudo=True)) for each in words),
        *shown([vm.configure(changed, delete=delete)]),
        *shown([vm.make_template()]),
    )


async def _delivering(world: World, step: Step, found: Found | None, commit: CommitId) -> tuple[argv.Argv, ...]:
    """What brings /etc/nixos to the commit; nothing when the guest says that it is there."""
    if found is not None and pinned(world, step.host, found) and await world.vms.running(found):
        there = await (await world.remote(step)).try_read(argv.CHECKOUT, sudo=True)
        if there.stdout.strip() == commit:
            return ()
    folder = argv.attempt_dir(step.run)
    return (
        argv.make_dir(folder),
        argv.write_file(f"{folder}/fleet.bundle"),
        argv.fetch_bundle(step.run, world.branch),
        argv.checkout(commit),
    )


def _now(world: World) -> str:
    return f"{world.clock.utc()[:19]}Z"


async def _build_and_seal(world: World, step: Step) -> None:
    found = await world.vms.of(step)
    await _refuse_unfit(world, step, found)
    remote, commit = await world.remote(step), await world.expected()
    await step.intend(
        vmid=str(found.vmid),
        node=found.node,
        uuid=found.config.uuid,
        commit=commit,
        nixpkgs=await _pinned(world, commit),
        at=_now(world),
    )
    system = await _build(world, remote, commit)
    running = (await remote.read(argv.SYSTEMS)).splitlines()[1]
    identity = (await remote.read(("cat", sealing.MACHINE_ID, argv.HOST_KEY))).splitlines()
    own = [identity[0].strip(), " ".join(identity[1].split()[:2])]
    await step.intend(sealing=running, system=system, identity="\n".join(own))
    step.tell("taking its identity away; it powers off by itself")
    await remote.write(sealing.seal(step.run, system=running, user=world.host(step).machine.bootstrap.user))


async def _build(world: World, remote: Remote, commit: CommitId) -> str:
    """The template's system, built and made what the guest boots next."""
    step = remote.step
    await preflight.require(world, remote)
    await remote.write(argv.make_dir(argv.attempt_dir(step.run)))
    await deliver(world, remote, commit, attempt=step.run)
    step.tell("building")
    link = f"{argv.attempt_dir(step.run)}/new"
    system = out_path(await remote.write(sealing.build(commit, link), timeout_s=_BUILD_TIMEOUT_S))
    await remote.write(argv.set_profile(system))
    await remote.write(sealing.DROP_OLD)
    await remote.write(argv.switch_to(system, "boot"), timeout_s=300)
    return system


async def _seal_after_all(world: World, step: Step) -> None:
    """Send what a killed attempt wrote down and may never have sent."""
    node, number = node_name(step.known["node"]), vmid(step.known["vmid"])
    if (await world.pve.power(node, number)).status == "running" and not await _is_sealing(world, step):
        user = world.host(step).machine.bootstrap.user
        await (await world.remote(step)).write(sealing.seal(step.run, system=step.known["sealing"], user=user))


async def _see_off(world: World, step: Step) -> None:
    """The guest powers off by itself once it is clean.

    Raises: RemoteFailure when it does not, with what its unit said.
    """
    node, number = node_name(step.known["node"]), vmid(step.known["vmid"])

    async def off() -> bool | None:
        return None if (await world.pve.power(node, number)).status == "running" else True

    try:
        await until(off, clock=world.clock, timeout_s=_OFF_TIMEOUT_S, what=f"the power off of VM {number}")
    except OutcomeUnknown as error:
        raise RemoteFailure(
            f"VM {number} was not seen to become clean and power off",
            why=f"its unit is {sealing.unit(step.run)}",
            hint=f"look at its console; then pvenix destroy {step.host} --confirm {step.host}, and begin anew",
            evidence=await _said(world, step),
            code="PVX0741",
        ) from error


async def _is_sealing(world: World, step: Step) -> bool:
    """True unless the guest says that it knows no such unit; one without host keys lets nobody in, as it is at it."""
    try:
        state = await (await world.remote(step)).read(argv.unit_state(sealing.unit(step.run)), timeout_s=20)
    except PvenixError:
        return True
    return "LoadState=loaded" in state


async def _said(world: World, step: Step) -> tuple[str, ...]:
    try:
        words = ("journalctl", "-u", sealing.unit(step.run), "-n", "8", "--no-pager")
        return tuple((await (await world.remote(step)).read(words, sudo=True, timeout_s=20)).splitlines())
    except PvenixError as error:
        return (str(error),)


async def _convert(world: World, step: Step, candidate: Candidate, made: Made) -> None:
    """Give the VM the settings of the template before, then make it one."""
    config = await _its_config(world, step)
    if config is None:
        raise RemoteFailure(f"VM {candidate.vmid} is no longer on {candidate.node}", hint="look again", code="PVX0525")
    if config.uuid != step.known["uuid"]:
        raise Refused(
            f"VM {candidate.vmid} is not the machine that was made clean",
            why=f"its smbios uuid is {config.uuid}",
            hint="somebody replaced it; begin anew",
            code="PVX0742",
        )
    found = Found(node=candidate.node, vmid=candidate.vmid, config=config)
    vm = VmCalls.on(world.pve, found, {})
    if made_in(config.values.get("description", "")) != made:
        config = await unlocked(world, step, found)
        changed, delete = settings(template_of(world, world.host(step)), await _before(world, step), config, made)
        await vm.configure(changed, delete=delete, digest=config.digest).send(step)
    if not _is_made(await _its_config(world, step)):
        try:
            use = Use(node=candidate.node)
            await carried_out(world, step, vm.make_template(), use, timeout_s=_TASK_TIMEOUT_S)
        except OutcomeUnknown:
            step.tell("the answer was lost; looking whether it is a template")

    async def converted() -> bool | None:
        return True if _is_made(await _its_config(world, step)) else None

    await until(converted, clock=world.clock, timeout_s=60, what=f"VM {candidate.vmid} as a template")
    world.trust.forget(step.host)
    world.sightings.forget(step.host)


def _is_made(config: VmConfig | None) -> bool:
    return config is not None and config.values.get("template") == "1"


async def _its_config(world: World, step: Step) -> VmConfig | None:
    return await world.pve.config(node_name(step.known["node"]), vmid(step.known["vmid"]))


async def _before(world: World, step: Step) -> VmConfig:
    """The template that there is now."""
    template = template_of(world, world.host(step))
    [main, *_] = await templates_of(world, template)
    return await world.survey.config(main.node, main.vmid) or VmConfig(values={}, digest="")


async def _refuse_unfit(world: World, step: Step, found: Found) -> None:
    """A linked clone would tie the new template to the old one; a larger disk would be too large for the smallest class.

    Raises: Refused.
    """
    if "/vm-" in found.config.values.get(ROOT_DISK, "").partition(",")[0]:
        raise Refused(
            f"VM {found.vmid} is a linked clone, which needs the present template for good",
            hint=f"pvenix host edit {step.host} proxmox.full=true, destroy its VM and begin anew",
            code="PVX0746",
        )
    sizes = [
        next((disk.size for disk in disks_in(config) if disk.key == ROOT_DISK), 0)
        for config in (await _before(world, step), found.config)
    ]
    if sizes[1] > sizes[0]:
        raise Refused(
            f"the disk of {step.host} is larger than that of the template",
            why=f"{sizes[1] >> 30}G instead of {sizes[0] >> 30}G, and no disk shrinks",
            hint=f"pvenix host edit {step.host} disk={sizes[0] >> 30}G, destroy its VM and begin anew",
            code="PVX0743",
        )


async def _pinned(world: World, commit: CommitId) -> str:
    return locked_nixpkgs(await world.repo.read(commit, LOCK) or "")


def _candidate(step: Step) -> Candidate:
    known = step.known
    return Candidate(
        node=node_name(known["node"]),
        vmid=vmid(known["vmid"]),
        system=known["system"],
        identities=frozenset(known["identity"].split("\n")),
    )


def _made(step: Step) -> Made:
    return Made(nixpkgs=step.known["nixpkgs"], commit=step.known["commit"], at=step.known["at"])
