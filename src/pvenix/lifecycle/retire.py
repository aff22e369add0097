"""Stop and destroy a host's VM, and propose its tombstone in the inventory."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.fleet.edit import set_machine
from pvenix.lifecycle.calls import Call, VmCalls, git_call, shown
from pvenix.lifecycle.ownership import Found, is_tagged
from pvenix.lifecycle.volumes import left_of, volumes_of
from pvenix.lifecycle.waiting import task_end, unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, UsageError
from pvenix.model.names import CommitId, node_name, vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.paths import vars_file

_TASK_TIMEOUT_S = 300.0


def branch_of(host: str) -> str:
    """The topic branch that carries the tombstone."""
    return f"retire/{host}"


async def probe(world: World, step: Step) -> Probe:
    """Done when there is no VM and the inventory, or a branch, says that the host is absent."""
    if step.args.get("confirm") != step.host:
        raise UsageError(
            f"retiring {step.host} destroys its disks",
            hint=f"type its name: pvenix retire {step.host} --confirm {step.host}",
        )
    host = world.host(step)
    if host.machine.controller:
        raise Refused(f"{step.host} runs pvenix; it does not destroy itself", code="PVX0540")
    if host.machine.proxmox.protect:
        raise Refused(f"{step.host} is protected", hint="set machine.proxmox.protect: false first", code="PVX0541")
    found = await world.vms.certain(step.host, {**step.known, **step.facts})
    if found is not None:
        return needed(f"VM {found.vmid} on {found.node} will be destroyed", vmid=str(found.vmid), node=found.node)
    if "volumes" in step.known:
        return needed("an interrupted attempt may not have seen its volumes go")
    return done("no VM, and the tombstone is proposed") if await _entombed(world, step) else needed("no tombstone yet")


async def apply(world: World, step: Step) -> Outcome:
    """Stop, destroy, see that it and its volumes are gone, forget its key, push the tombstone."""
    found = await world.vms.certain(step.host, {**step.known, **step.facts})
    if found is not None:
        await _destroy(world, step, found)
    world.trust.forget(step.host)
    left = await _remains(world, step)
    commit = "" if await _entombed(world, step) else await _entomb(world, step)
    gone = str(found.vmid) if found else step.known.get("vmid", "")
    return Outcome(
        status=Status.CHANGED,
        summary=(f"VM {gone} is gone" if gone else "it has no VM")
        + (", but not all of its volumes" if left else "")
        + f"; tombstone on {branch_of(step.host)}",
        evidence=left,
        facts={"commit": commit} if commit else {},
    )


async def _entomb(world: World, step: Step) -> str:
    """Push the tombstone; the commit. What another run destroyed has no intent in the journal of this one."""
    if "volumes" not in step.known:
        await step.intend(branch=branch_of(step.host))
    return await (await _entombing(world, step)).send(step)


async def _remains(world: World, step: Step) -> tuple[str, ...]:
    """What is left of the VM that this step destroyed, or may be, a line each."""
    listed, hidden = step.known.get("volumes", "").split(), step.known.get("hidden", "").split()
    if not listed and not hidden:
        return ()
    left = await left_of(world.pve, node_name(step.known["node"]), vmid(step.known["vmid"]), listed)
    may_not = (f"{volume}: not known, the token may not list it" for volume in hidden)
    return (*(f"{volume}: still there" for volume in left), *may_not)


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await world.vms.certain(step.host, {**step.known, **step.facts})
    removal = shown(await _removal(world, step.host, found)) if found is not None else ()
    return removal if await _entombed(world, step) else (*removal, *shown([await _entombing(world, step)]))


async def _removal(world: World, host: str, found: Found) -> list[Call[str]]:
    """Cut the VM's power if it has any, and destroy it with its disks.

    Raises: Refused when it is not of our making.
    """
    if not world.vms.owns(found.config, host) or not is_tagged(found.config):
        raise Refused(
            f"VM {found.vmid} does not carry pvenix's marker for {host}",
            hint="pvenix destroys only what it made; remove the VM in Proxmox if that is what you want",
            code="PVX0542",
        )
    vm = VmCalls.on(world.pve, found, {})
    running = await world.vms.running(found)
    return [vm.stop(), vm.destroy()] if running else [vm.destroy()]


async def _destroy(world: World, step: Step, found: Found) -> None:
    await unlocked(world, step, found)
    *stop, destroy = await _removal(world, step.host, found)
    volumes = await volumes_of(world.pve, found)
    await step.intend(
        vmid=str(found.vmid),
        node=found.node,
        uuid=found.config.uuid,
        volumes=" ".join(sorted(volumes.listed)),
        hidden=" ".join(sorted(volumes.hidden)),
    )
    for call in stop:
        await task_end(world, step, await call.send(step), timeout_s=_TASK_TIMEOUT_S)
    try:
        await task_end(world, step, await destroy.send(step), timeout_s=_TASK_TIMEOUT_S)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking whether the VM is gone")
    except RemoteFailure:
        if await world.pve.config(found.node, found.vmid) is not None:
            raise

    async def gone() -> bool | None:
        return True if await world.pve.config(found.node, found.vmid) is None else None

    await until(gone, clock=world.clock, timeout_s=60, what=f"the end of VM {found.vmid}")
    world.survey.outdated()


async def _entombed(world: World, step: Step) -> bool:
    main = await world.repo.fetch()
    tip = await world.repo.tip(branch_of(step.host))
    path = vars_file(step.host)
    texts = [await world.repo.read(rev, path) or "" for rev in (main, tip) if rev is not None]
    return any(text == _tombstone(text) for text in texts if text)


async def _entombing(world: World, step: Step) -> Call[CommitId]:
    """Propose the tombstone on the host's topic branch."""
    main, branch, path = await world.repo.fetch(), branch_of(step.host), vars_file(step.host)
    text = _tombstone(await world.repo.read(main, path) or "")
    base = await world.repo.tip(branch) or main
    message = f"Retire {step.host}\n\nIts VM was destroyed.\nRun: {step.run}\n"
    return git_call(
        f"push origin {branch}: {path} machine.state: absent",
        lambda: world.repo.commit(branch, base, {path: text}, message=message),
    )


def _tombstone(text: str) -> str:
    return set_machine(text, ("state",), "absent")
