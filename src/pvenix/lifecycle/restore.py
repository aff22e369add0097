"""Put a host's VM back to a snapshot: what came after it is lost, and said before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import VmSnapshot
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import snapshots
from pvenix.lifecycle.asked import asked_for, ended_before, seen_tasks
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.power import changed
from pvenix.lifecycle.reboot import boot_now, booted_anew
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import slot
from pvenix.lifecycle.volumes import drives_in
from pvenix.lifecycle.waiting import task_end, unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, RemoteFailure, UsageError
from pvenix.model.outcome import Outcome, Probe, Status, needed

_TIMEOUT_S: Final = 1800.0
_TASK: Final = "qmrollback"
_NEWEST_ONLY: Final = frozenset({"zfspool", "zfs", "lvm"})
"""Storages that go back to their newest snapshot only (pve-storage, volume_rollback_is_possible)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way back to a snapshot."""

    found: Found
    to: VmSnapshot
    passed: tuple[VmSnapshot, ...]
    """Snapshots that the way passes over; they stay, and their states with them."""
    running: bool
    ha: str


async def probe(world: World, step: Step) -> Probe:
    """Always work to do: what the VM wrote since cannot be told from the snapshot."""
    name = str(step.args["to"])
    if step.args.get("confirm") != step.host:
        raise UsageError(
            f"going back to {name} loses what {step.host} has written since",
            hint=f"type its name: pvenix restore {step.host} --to {name} --confirm {step.host}",
        )
    way = await _way(world, step)
    await _check(world, step, way)
    for line in _losses(world, step.host, way):
        step.tell(line)
    return needed(f"VM {way.found.vmid} on {way.found.node} goes back to {name}")


async def apply(world: World, step: Step) -> Outcome:
    """Go back, and start what ran; the boot after it is seen."""
    way = await _way(world, step)
    before = step.known.get("boot_id", "")
    if "was_running" not in step.known:
        before = (await boot_now(world, step, way.found)).id if way.running else ""
        await intend(world, step, way.found, was_running=str(int(way.running)), boot_id=before)
    ran = step.known["was_running"] == "1"
    if "rolled_back" not in step.known:
        await _go_back(world, step, way)
    again = await _as_before(world, step, way, before, ran=ran)
    return Outcome(
        status=Status.CHANGED,
        summary=f"VM {way.found.vmid} is back at {way.to.name}, {again}",
        hint=f"its settings are those of the snapshot too: pvenix plan -l {step.host}",
    )


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    way = await _way(world, step)
    vm = VmCalls.on(world.pve, way.found, {})
    calls: list[Call[str]] = [vm.stop()] if way.running and way.ha else []
    calls.append(vm.roll_back(way.to.name))
    return shown([*calls, vm.start()] if way.running and not way.to.memory else calls)


async def losses(world: World, host: str, name: str) -> tuple[str, ...]:
    """What going back to a snapshot would cost the host, a line each.

    Raises: RemoteFailure when it has no VM, UsageError when it has no such snapshot.
    """
    found = await world.vms.find(host)
    if found is None:
        raise RemoteFailure(f"{host} has no VM", hint="pvenix status", code="PVX0513")
    return _losses(world, host, await _way_of(world, found, name))


def _losses(world: World, host: str, way: Way) -> tuple[str, ...]:
    since = _span(snapshots.seconds_now(world) - way.to.taken_at)
    first = f"what VM {way.found.vmid} has written in the last {since} is lost, and its settings of that time too"
    owners = ((each, "ours" if snapshots.is_ours(world, host, each) else "theirs") for each in way.passed)
    return first, *(f"snapshot {each.name} ({owner}) is newer: it stays as a branch" for each, owner in owners)


async def _way(world: World, step: Step) -> Way:
    return await _way_of(world, await world.vms.of(step), str(step.args["to"]))


async def _way_of(world: World, found: Found, name: str) -> Way:
    to = await snapshots.named(world, found, name)
    listed = await world.pve.snapshots(found.node, found.vmid)
    power = await world.pve.power(found.node, found.vmid)
    return Way(
        found=found,
        to=to,
        passed=snapshots.after(listed, to.name),
        running=power.status == "running",
        ha=power.ha,
    )


async def _check(world: World, step: Step, way: Way) -> None:
    """Raises: Refused for what Proxmox would refuse halfway, with everything that would have to go first."""
    if way.to.unfinished:
        raise Refused(
            f"snapshot {way.to.name} is not whole ({way.to.unfinished})",
            hint=f"pvenix snapshots {step.host} shows the others",
            code="PVX0917",
        )
    storages = {drive.partition(":")[0] for drive in drives_in(way.found.config)}
    listed = (await world.survey.resources()).storages
    strict = sorted({each.name for each in listed if each.name in storages and each.kind in _NEWEST_ONLY})
    if way.passed and strict:
        names = ", ".join(each.name for each in way.passed)
        raise Refused(
            f"{', '.join(strict)} goes back to the newest snapshot only, and {way.to.name} is not that",
            why=f"newer: {names}",
            hint=f"pvenix deletes none of them by itself: pvenix delete-snapshot {step.host} --name {way.passed[-1].name}",
            code="PVX0918",
        )


async def _go_back(world: World, step: Step, way: Way) -> None:
    """Raises: RemoteFailure with Proxmox' error, OutcomeUnknown when its end cannot be seen."""
    if not await ended_before(world, step, way.found, _TASK, timeout_s=_TIMEOUT_S):
        await unlocked(world, step, way.found)
        vm = VmCalls.on(world.pve, way.found, {})
        if way.running and way.ha:
            step.tell("the HA manager would start the VM on its way: it is asked to stop it first")
            await changed(world, step, way.found, vm.stop(), wanted="stopped")
        async with slot(world, step, Use(node=way.found.node)):
            upid = await asked_for(world, step, way.found, vm.roll_back(way.to.name), _TASK)
            await task_end(world, step, upid, timeout_s=_TIMEOUT_S)
    step.evidence(rolled_back=way.to.name)
    world.survey.outdated()


async def intend(world: World, step: Step, found: Found, **data: str) -> None:
    """Record that the VM is about to go back, with the tasks that were there before."""
    seen = await seen_tasks(world, found, _TASK)
    await step.intend(vmid=str(found.vmid), node=found.node, seen=seen, upid="", **data)


async def back_at(world: World, step: Step, found: Found, name: str) -> None:
    """Go back to snapshot `name` once, after `intend`, and start the VM.

    Raises: RemoteFailure with Proxmox' error, OutcomeUnknown when its end cannot be seen, Refused.
    """
    way = await _way_of(world, found, name)
    if step.known.get("rolled_back") != name:
        await _check(world, step, way)
        await _go_back(world, step, way)
    if not await world.vms.running(found):
        await changed(world, step, found, VmCalls.on(world.pve, found, {}).start(), wanted="running")


async def _as_before(world: World, step: Step, way: Way, before: str, *, ran: bool) -> str:
    """Bring the VM's power to what it was; says what was seen."""
    if not ran:
        running = await world.vms.running(way.found)
        return "and runs, as its memory was in the snapshot" if running else "and is off as before"
    if not await world.vms.running(way.found):
        await changed(world, step, way.found, VmCalls.on(world.pve, way.found, {}).start(), wanted="running")
    if way.to.memory:
        return "and runs on from its memory"
    step.tell("waiting for its boot")
    booted = await booted_anew(world, step, way.found, before, what=f"the boot of {step.host} from {way.to.name}")
    return f"and has booted ({booted.id})"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
