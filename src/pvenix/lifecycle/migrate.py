"""Move a host's VM to another node: running if that is possible, off only when that is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import MigrationCheck
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.asked import ended_before, seen_tasks
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.power import changed, grace_of
from pvenix.lifecycle.reboot import boot_now, booted_anew
from pvenix.lifecycle.selfguard import refuse_self
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.waiting import unlocked, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, UsageError
from pvenix.model.names import NodeName, node_name
from pvenix.model.nearest import did_you_mean
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_TASKS: Final = ("qmigrate", "hamigrate")
_TIMEOUT_S: Final = 6600.0
_ARRIVES_S: Final = 60.0
_HA_ARRIVES_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How a VM goes from one node to another."""

    found: Found
    to: NodeName
    running: bool
    online: bool
    """Whether it runs on while it moves."""
    local_disks: bool
    ha: str


async def probe(world: World, step: Step) -> Probe:
    """Done when the VM is there already."""
    to = await _target(world, step)
    found = await world.vms.of(step)
    if found.node == to:
        if step.known.get("was_running") == "1" and not await world.vms.running(found):
            return needed(f"VM {found.vmid} has arrived on {to} and was not started again")
        return done(f"VM {found.vmid} is on {to}", node=to)
    if "to" in step.known or found.config.values.get("lock"):
        return needed(f"VM {found.vmid} is on {found.node}, and a job may be at work on it")
    move = await _move(world, step, found, to)
    how = "while it runs" if move.online else "while it is off"
    return needed(
        f"VM {found.vmid} moves from {found.node} to {to} {how}" + (", with its disks" if move.local_disks else "")
    )


async def apply(world: World, step: Step) -> Outcome:
    """Move it, see it on the other node, and start what ran."""
    to = await _target(world, step)
    found = await world.vms.of(step)
    if found.node != to:
        if not await _gone(world, step, found, to):
            await unlocked(world, step, found)
            await _go(world, step, await _move(world, step, found, to))
        world.survey.outdated()
        found = Found(node=to, vmid=found.vmid, config=found.config)
    again = await _as_before(world, step, found)
    return Outcome(
        status=Status.CHANGED, summary=f"VM {found.vmid} is on {to}{again}", facts={"node": to, "vmid": str(found.vmid)}
    )


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    to, found = await _target(world, step), await world.vms.of(step)
    if found.node == to:
        return shown([VmCalls.on(world.pve, found, {}).start()])
    move = await _move(world, step, found, to)
    vm, offline = VmCalls.on(world.pve, found, {}), move.running and not move.online
    calls: list[Call[str]] = [vm.shutdown(timeout_s=grace_of(step))] if offline else []
    calls.append(vm.migrate(to, online=move.online, local_disks=move.local_disks))
    return shown([*calls, VmCalls(world.pve, to, found.vmid).start()] if offline else calls)


async def _target(world: World, step: Step) -> NodeName:
    """Raises: UsageError for a node that the cluster does not have, Refused where the inventory pins another."""
    to, nodes = str(step.args["to"]), (await world.survey.resources()).nodes
    if to not in {node.name for node in nodes}:
        names = sorted(node.name for node in nodes)
        raise UsageError(
            f"the cluster has no node {to!r}",
            why=f"it has {', '.join(names)}",
            hint=did_you_mean(to, names),
            code="PVX0920",
        )
    if not any(node.online for node in nodes if node.name == to):
        raise Refused(f"node {to} is not up", hint="choose another, or wait for it", code="PVX0921")
    wanted = world.host(step).machine.proxmox
    if wanted.pin and wanted.node not in ("auto", to):
        raise Refused(
            f"the inventory pins {step.host} to {wanted.node}",
            hint=f"pvenix host edit {step.host} proxmox.node={to}",
            code="PVX0922",
        )
    return node_name(to)


async def _move(world: World, step: Step, found: Found, to: NodeName) -> Move:
    """How the VM can go. Raises: Refused, with what keeps it where it is."""
    power = await world.pve.power(found.node, found.vmid)
    check = await world.pve.migration(found.node, found.vmid)
    running = power.status == "running"
    _refuse(step, found, to, check)
    reasons = await _needs_power_off(world, found, check) if running else ()
    offline = bool(step.args.get("offline"))
    if reasons and not offline:
        raise Refused(
            f"{step.host} cannot move to {to} while it runs",
            why="; ".join(reasons),
            hint=f"shut down, moved and started again: pvenix migrate {step.host} --to {to} --offline",
            code="PVX0923",
        )
    if running and offline:
        refuse_self(world, step)
    return Move(
        found=found,
        to=to,
        running=running,
        online=running and not offline,
        local_disks=bool(check.local_disks),
        ha=power.ha,
    )


def _refuse(step: Step, found: Found, to: NodeName, check: MigrationCheck) -> None:
    """Raises: Refused for what keeps the VM on its node even when it is off."""
    others = ", ".join(check.allowed) or "none"
    why = ""
    if check.bound:
        why = f"it has devices of {found.node} that no mapping names: {', '.join(check.bound)}"
    elif to in check.refused:
        why = f"{to} has {check.refused[to]}; nodes that could take it: {others}"
    elif check.allowed and to not in check.allowed:
        why = f"nodes that could take it: {others}"
    elif check.local_images:
        why = f"only {found.node} has its CD-ROM image {', '.join(check.local_images)}: eject it"
    if why:
        raise Refused(f"{step.host} cannot move to {to}", why=why, code="PVX0924")


async def _needs_power_off(world: World, found: Found, check: MigrationCheck) -> tuple[str, ...]:
    """Why the VM cannot move while it runs (QemuMigrate.pm)."""
    reasons = [f"devices that are passed through stay behind: {', '.join(check.devices)}"] if check.devices else []
    if check.local_disks and (names := [each.name for each in await world.pve.snapshots(found.node, found.vmid)]):
        reasons.append(
            f"{', '.join(check.local_disks)} has snapshots, which keep it from moving then: {', '.join(names)}"
        )
    return tuple(reasons)


async def _go(world: World, step: Step, move: Move) -> None:
    """Raises: RemoteFailure with Proxmox' error, OutcomeUnknown when nobody knows where the VM is."""
    vm = VmCalls.on(world.pve, move.found, {})
    if "was_running" not in step.known:
        stops = move.running and not move.online
        before = (await boot_now(world, step, move.found)).id if stops else ""
        seen = await seen_tasks(world, move.found, *_TASKS)
        await step.intend(
            to=move.to,
            came_from=move.found.node,
            was_running=str(int(move.running)),
            stops=str(int(stops)),
            boot_id=before,
            seen=seen,
        )
    if move.running and not move.online:
        await changed(world, step, move.found, vm.shutdown(timeout_s=grace_of(step)), wanted="stopped")
    if move.ha:
        step.tell(
            f"the HA manager keeps VM {move.found.vmid} ({move.ha}): it is asked, and moves it in a round of its own"
        )
    call = vm.migrate(move.to, online=move.online, local_disks=move.local_disks)
    lost: OutcomeUnknown | None = None
    try:
        use = Use(node=move.found.node, transfer=(move.found.node, move.to))
        await carried_out(world, step, call, use, timeout_s=_TIMEOUT_S)
    except OutcomeUnknown as error:
        step.tell("the answer was lost; looking where the VM is")
        lost = error
    if not await _arrives(world, move.found, move.to, ha=move.ha):
        raise lost or RemoteFailure(
            f"VM {move.found.vmid} is not on {move.to} although Proxmox took the request",
            why=f"the HA manager has it as {move.ha}" if move.ha else "",
            hint="ha-manager status, on a node" if move.ha else f"pvenix status {step.host}",
            code="PVX0925",
        )


async def _gone(world: World, step: Step, found: Found, to: NodeName) -> bool:
    """True when an earlier process of this run has moved the VM; a task of it that failed is asked for anew."""
    if not await ended_before(world, step, found, *_TASKS, timeout_s=_TIMEOUT_S):
        return False
    here = await world.pve.config(found.node, found.vmid)
    ha = (await world.pve.power(found.node, found.vmid)).ha if here is not None else ""
    return await _arrives(world, found, to, ha=ha)


async def _arrives(world: World, found: Found, to: NodeName, *, ha: str) -> bool:
    """True once the same machine is on the other node, and no job holds it."""

    async def there() -> bool | None:
        config = await world.pve.config(to, found.vmid)
        return True if config and config.uuid == found.config.uuid and not config.values.get("lock") else None

    patience_s = _HA_ARRIVES_S if ha else _ARRIVES_S
    try:
        return await until(there, clock=world.clock, timeout_s=patience_s, what=f"VM {found.vmid} on {to}")
    except OutcomeUnknown:
        return False


async def _as_before(world: World, step: Step, found: Found) -> str:
    """Start what was stopped for the move; says what was seen."""
    running = await world.vms.running(found)
    if step.known.get("stops") != "1":
        if step.known.get("was_running") == "1" and not running:
            raise RemoteFailure(
                f"VM {found.vmid} is on {found.node} and no longer runs",
                hint=f"pvenix start {step.host}",
                code="PVX0926",
            )
        return ", and runs on" if running else ", and is off as before"
    if not running:
        await changed(world, step, found, VmCalls.on(world.pve, found, {}).start(), wanted="running")
    before = step.known.get("boot_id", "")
    booted = await booted_anew(world, step, found, before, what=f"the boot of {step.host} on {found.node}")
    return f", and has booted ({booted.id})"
