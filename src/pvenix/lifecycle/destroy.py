"""Stop and destroy a host's VM. The inventory keeps the host, which is made anew (`reprovision`) or entombed (`retire`)."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.asked import ended_before, seen_tasks
from pvenix.lifecycle.backup import back_up
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.ownership import Found, is_tagged
from pvenix.lifecycle.removal import consequences, last_backup, obstacle
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.volumes import left_of, volumes_of
from pvenix.lifecycle.waiting import unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, UsageError
from pvenix.model.names import node_name, vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_TASK_TIMEOUT_S = 300.0
_STOP = "qmstop"
_HA_TIMEOUT_S = 120.0
"""The HA manager looks at its resources every ten seconds."""


async def probe(world: World, step: Step) -> Probe:
    """Done when there is no VM."""
    found = await look(world, step)
    if found is not None:
        return needed(f"VM {found.vmid} on {found.node} will be destroyed", vmid=str(found.vmid), node=found.node)
    if "volumes" in step.known:
        return needed("an interrupted attempt may not have seen its volumes go")
    return done("there is no VM")


async def apply(world: World, step: Step) -> Outcome:
    """Stop, destroy, see that the VM and its volumes are gone, and forget its key."""
    found = await present(world, step)
    if found is not None:
        await demolish(world, step, found)
    forget(world, step.host)
    summary, evidence = await told(world, step, found)
    step.facts.pop("node", None)  # where it was decides nothing about the next one, which keeps only its id
    return Outcome(status=Status.CHANGED, summary=summary, evidence=evidence)


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send; what they change beside the VM is told."""
    found = await present(world, step)
    return await demolition(world, step, found) if found is not None else ()


async def look(world: World, step: Step) -> Found | None:
    """The VM that is to be destroyed, None when there is none; asks for nothing but what may be done.

    Raises: UsageError when the host's name was not typed, Refused when the host or its VM is protected.
    """
    if step.args.get("confirm") != step.host:
        raise UsageError(
            f"{step.verb} destroys the disks of {step.host}",
            hint=f"type its name: pvenix {step.verb} {step.host} --confirm {step.host}",
        )
    host = world.host(step)
    found = await present(world, step)
    if found is not None and (blocked := obstacle(host, found)):
        raise blocked
    return found


async def present(world: World, step: Step) -> Found | None:
    """The host's VM, None when it is gone.

    Raises: Refused when the host has another VM by now than the one that this step began to destroy.
    """
    found = await world.vms.certain(step.host, {**step.known, **step.facts})
    begun = step.known.get("uuid", "")
    if found is not None and begun and found.config.uuid != begun:
        raise Refused(
            f"VM {found.vmid} of {step.host} is not the one that this run began to destroy",
            why=f"its smbios uuid is {found.config.uuid}, the one to destroy had {begun}",
            hint=f"the old VM is gone; to destroy the new one too, begin a new run: pvenix {step.verb} {step.host}",
            code="PVX0572",
        )
    return found


async def demolish(world: World, step: Step, found: Found, *, passing: bool = False) -> None:
    """Back the VM up where the site says so, take it from the HA manager, cut its power, destroy it, and see that it is gone.

    Of a `passing` VM, which this very run made to look at, nothing is kept and nothing told.
    Raises: Refused when it is not of our making.
    """
    if not passing:
        await ended_before(world, step, found, _STOP, timeout_s=_TASK_TIMEOUT_S, shows=True)
    await unlocked(world, step, found)
    _ours(world, step.host, found)
    changes = () if passing else await consequences(world, found)
    for line in changes:
        step.tell(line)
    volumes = await volumes_of(world.pve, found)
    await step.intend(
        vmid=str(found.vmid),
        node=found.node,
        uuid=found.config.uuid,
        volumes=" ".join(sorted(volumes.listed)),
        hidden=" ".join(sorted(volumes.hidden)),
        changes="\n".join(changes),
        seen=await seen_tasks(world, found, _STOP),
        upid="",
    )
    if not passing and last_backup(world, world.fleet.hosts.get(step.host)):
        step.evidence(last_backup=await back_up(world, step, found))
    calls = await _removal(world, found)
    if calls.leave_ha is not None:
        await _leave_ha(world, step, found, calls.leave_ha)
    if calls.stop is not None:
        await _ended(world, step, found, calls.stop)
    await _destroy(world, step, found, calls)


def forget(world: World, host: str) -> None:
    """Drop what this machine knows of the host's VM: its key, and where it was."""
    world.trust.forget(host)
    world.sightings.forget(host)


async def demolition(world: World, step: Step, found: Found) -> Commands:
    """The calls of `demolish`, whose consequences are told."""
    _ours(world, step.host, found)
    for line in await consequences(world, found):
        step.tell(line)
    storage, calls = last_backup(world, world.fleet.hosts.get(step.host)), await _removal(world, found)
    return (
        *shown([VmCalls.on(world.pve, found, {}).back_up(storage, notes="")] if storage else []),
        *shown([calls.leave_ha] if calls.leave_ha else []),
        *shown([calls.stop] if calls.stop else []),
        *shown([calls.destroy]),
    )


async def told(world: World, step: Step, found: Found | None) -> tuple[str, tuple[str, ...]]:
    """What became of the VM in a few words, and what changed with it or is left of it, a line each."""
    left = await _remains(world, step)
    gone = str(found.vmid) if found else step.known.get("vmid", "")
    summary = (f"VM {gone} is gone" if gone else "it has no VM") + (", but not all of its volumes" if left else "")
    backup = step.known.get("last_backup", "")
    left = (*left, *((f"its last backup is {backup}",) if backup else ()))
    return summary, (*left, *step.known.get("changes", "").splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Removal:
    """The calls after which a VM is gone, in order."""

    leave_ha: Call[None] | None
    stop: Call[str] | None
    again: Call[str]
    """For a start that was under way, and ended after the VM was seen stopped."""
    destroy: Call[str]


async def _removal(world: World, found: Found) -> _Removal:
    vm, power = VmCalls.on(world.pve, found, {}), await world.pve.power(found.node, found.vmid)
    leave = Call(
        channel="pve",
        text=f"DELETE /cluster/ha/resources/vm:{found.vmid}",
        make=lambda: world.pve.remove_ha(found.vmid),
    )
    return _Removal(
        leave_ha=leave if power.ha else None,
        stop=vm.stop() if power.status == "running" else None,
        again=vm.stop(),
        destroy=vm.destroy(),
    )


def _ours(world: World, host: str, found: Found) -> None:
    if not world.vms.owns(found.config, host) or not is_tagged(found.config):
        raise Refused(
            f"VM {found.vmid} does not carry pvenix's marker for {host}",
            hint="pvenix destroys only what it made; remove the VM in Proxmox if that is what you want",
            code="PVX0542",
        )


async def _leave_ha(world: World, step: Step, found: Found, call: Call[None]) -> None:
    """Take the VM out of the HA manager's hands: it would answer a stop by starting the VM again.

    Raises: Refused when the token lacks Sys.Console on `/`, OutcomeUnknown when the manager does not let go.
    """
    await step.intend(leaving_ha=str(found.vmid))
    try:
        await call.send(step)
    except (OutcomeUnknown, RemoteFailure):
        if (await world.pve.power(found.node, found.vmid)).ha:
            raise

    async def let_go() -> bool | None:
        return None if (await world.pve.power(found.node, found.vmid)).ha else True

    what = f"the end of HA for VM {found.vmid}"
    await until(let_go, clock=world.clock, timeout_s=_HA_TIMEOUT_S, what=what)


async def _destroy(world: World, step: Step, found: Found, calls: _Removal) -> None:
    """The VM's end: of its task and of its configuration."""
    try:
        await _ended(world, step, found, calls.destroy)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking whether the VM is gone")
    except RemoteFailure:
        if await world.pve.config(found.node, found.vmid) is not None:
            if (await world.pve.power(found.node, found.vmid)).status != "running":
                raise
            await _ended(world, step, found, calls.again)
            await _ended(world, step, found, calls.destroy)

    async def gone() -> bool | None:
        return True if await world.pve.config(found.node, found.vmid) is None else None

    await until(gone, clock=world.clock, timeout_s=60, what=f"the end of VM {found.vmid}")
    world.survey.outdated()


async def _ended(world: World, step: Step, found: Found, call: Call[str]) -> None:
    await carried_out(world, step, call, Use(node=found.node), timeout_s=_TASK_TIMEOUT_S)


async def _remains(world: World, step: Step) -> tuple[str, ...]:
    """What is left of the VM that this step destroyed, or may be, a line each."""
    listed, hidden = step.known.get("volumes", "").split(), step.known.get("hidden", "").split()
    if not listed and not hidden:
        return ()
    left = await left_of(world.pve, node_name(step.known["node"]), vmid(step.known["vmid"]), listed)
    may_not = (f"{volume}: not known, the token may not list it" for volume in hidden)
    return (*(f"{volume}: still there" for volume in left), *may_not)
