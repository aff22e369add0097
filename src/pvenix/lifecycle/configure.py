"""Bring a VM that exists to what the inventory declares of it: written once, read back, rebooted at most once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import migrate
from pvenix.lifecycle.approval import Change, gate
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.fields import outside
from pvenix.lifecycle.fields.booting import reboot_once
from pvenix.lifecycle.fields.compare import BOOT, UNKNOWN, compare
from pvenix.lifecycle.fields.doing import carry_out, pending_of
from pvenix.lifecycle.fields.taken import refuse_untaken
from pvenix.lifecycle.fields.values import CLOUD_INIT, DISK
from pvenix.lifecycle.fields.wanted import wanted_of
from pvenix.lifecycle.fields.work import Put, View, work
from pvenix.lifecycle.notes import parse
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.power import changed, grace_of
from pvenix.lifecycle.reboot import in_turn
from pvenix.lifecycle.selfguard import is_self, refuse_self
from pvenix.lifecycle.settling import refuse_lost, storage_of
from pvenix.lifecycle.waiting import task_end, unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix.model.fleetplan import Effect, FieldPlan, FieldState
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip
from pvenix.model.update import Reboot

_TASK_TIMEOUT_S: Final = 7200.0
_IMPOSSIBLE: Final = (Effect.RECREATE, Effect.REFUSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one step has to do to one VM."""

    found: Found
    view: View
    running: bool
    take: tuple[FieldPlan, ...]
    """The fields that are brought about."""
    left: tuple[FieldPlan, ...]
    """Those that only a VM that is off takes, while nobody said that it may be."""
    reboots: bool
    """Whether this step may reboot the guest."""

    @property
    def off(self) -> bool:
        """True when the VM is shut down first, and started afterwards."""
        return self.running and any(one.effect is Effect.OFFLINE for one in self.take)

    @property
    def waiting(self) -> list[str]:
        """Fields that are written and wait for a reboot."""
        return [one.field for one in self.view.fields if one.state is FieldState.PENDING]


async def probe(world: World, step: Step) -> Probe:
    """Done when every declared field is as the inventory has it, or written and left for somebody's reboot.

    Raises: Refused when a field could not be brought about.
    """
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM yet")
    if not world.vms.owns(found.config, step.host):
        return skip(
            f"VM {found.vmid} was not made by pvenix; its settings stay (pvenix adopt {found.vmid} {step.host})"
        )
    job = await _job(world, step, found)
    if "vmid" in step.known:
        return needed("an interrupted attempt may not have seen it through")
    if job.take:
        return needed(f"to write: {', '.join(one.field for one in job.take)}")
    if job.waiting and job.reboots:
        return needed(f"reboot to apply {', '.join(job.waiting)}")
    if job.left:
        names = ", ".join(one.field for one in job.left)
        return skip(f"only a VM that is off takes {names}: pvenix configure {step.host} --offline")
    return done(_summary(job, []) or "every declared field is as the inventory has it")


async def apply(world: World, step: Step) -> Outcome:
    """Write what differs, read it back, and reboot once if that is asked for."""
    found = await world.vms.of(step)
    await _see_through(world, step, found)
    found = replace(found, config=await unlocked(world, step, found))
    job = await _job(world, step, found)
    if not world.vms.owns(found.config, step.host):
        raise Refused(
            f"VM {found.vmid} was not made by pvenix", hint=f"pvenix adopt {found.vmid} {step.host}", code="PVX0651"
        )
    if job.take:
        step.tell(f"to write: {', '.join(one.field for one in job.take)}")
    off = job.off or step.known.get("power") == "off"
    keys = " ".join(dict.fromkeys([*step.known.get("keys", "").split(), *(one.key for one in job.take)]))
    await step.intend(vmid=str(found.vmid), node=found.node, keys=keys, power="off" if off else "")
    vm = VmCalls.on(world.pve, found, {})
    if job.off:
        await changed(world, step, found, vm.shutdown(timeout_s=grace_of(step)), wanted="stopped")
    await _write(world, step, job)
    found = await world.vms.of(step)
    if off and not await world.vms.running(found):
        await changed(world, step, found, VmCalls.on(world.pve, found, {}).start(), wanted="running")
    after = await _read_back(world, step, found)
    rebooted = off or bool(step.known.get("boot_id"))  # a move while it runs notes none
    if after.waiting and after.reboots and not off:
        if (waits := _gate(world, step, after)) is not None:
            return waits
        async with in_turn(world, step):
            after, rebooted = await _reboot(world, step, after), True
    if rebooted and (_told_cloud_init(step) or any(_is_cloud_init(one) for one in _pending(job))):
        await refuse_untaken(world, step, found, after.view.wanted)
    return Outcome(status=Status.CHANGED, summary=_summary(after, [one.field for one in job.take], rebooted=rebooted))


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await world.vms.find(step.host, step.facts)
    if found is None or not world.vms.owns(found.config, step.host):
        return ()
    job = await _job(world, step, found)
    vm = VmCalls.on(world.pve, found, {})
    calls: list[Call[str] | Call[None]] = [vm.shutdown(timeout_s=grace_of(step))] if job.off else []
    calls += await outside.memberships(world, found, job.take)
    calls += [action.call(vm, job.view) for action in work(job.view, job.take)]
    if job.running and not job.off and any(_is_cloud_init(one) for one in job.take):
        calls.append(vm.regenerate_cloudinit())
    moving = _moving(step, job)
    moves = await migrate.commands(world, moving) if moving else ()
    last = [vm.start()] if job.off else []
    waits = any(one.effect is Effect.REBOOT for one in job.take) or job.waiting
    last += [vm.reboot(timeout_s=grace_of(step))] if waits and job.reboots and not job.off else []
    return (*shown(calls), *moves, *shown(last))


def _moving(step: Step, job: Job) -> Step | None:
    """The move to the node that the inventory pins, as a step of its own kind; None when there is none."""
    target = next((one.desired for one in job.take if one.key == "node"), "")
    return replace(step, args={"to": target, "offline": bool(step.args.get("offline"))}) if target else None


async def _job(world: World, step: Step, found: Found) -> Job:
    """Reads the VM and compares it.

    Raises: Refused when a field could not be brought about, or only by switching off the machine that pvenix runs on.
    """
    running = await world.vms.running(found)
    view = await _look(world, step, found, running=running)
    impossible = view.differing(*_IMPOSSIBLE)
    if impossible:
        raise _impossible(step.host, impossible)
    offline = bool(step.args.get("offline")) or not running
    left = () if offline else tuple(view.differing(Effect.OFFLINE))
    take = tuple(one for one in view.differing() if one not in left)
    host = world.host(step)
    wishes = bool(step.args.get("reboot")) or host.machine.update.reboot is Reboot.AUTO
    reboots = running and wishes and not is_self(world, step.host)
    job = Job(found=found, view=view, running=running, take=take, left=left, reboots=reboots)
    if job.off:
        refuse_self(world, step)
    return replace(job, view=replace(view, off=job.off or not running))


async def _look(world: World, step: Step, found: Found, *, running: bool) -> View:
    seen = await pending_of(world, found)
    wanted = wanted_of(world.fleet, step.host)
    recorded = parse(seen.config.values.get("description", "")).applied
    around = await outside.around(world, found, {one.key for one in wanted}, recorded, fresh=True)
    fields = compare(wanted, recorded, seen, running=running, around=around)
    storage = storage_of(world.host(step), seen.config)
    view = View(wanted=wanted, fields=fields, seen=seen, storage=storage, whole=True)
    if running and any(_is_cloud_init(one) for one in view.differing()):
        return replace(view, boot=await outside.boot_of(world, found) or UNKNOWN)
    return view


async def _write(world: World, step: Step, job: Job) -> None:
    """Everything that is written, in order; a VM that moves to another node does so last."""
    async with world.ledger.lists:
        for joined in await outside.memberships(world, job.found, job.take):
            await joined.send(step)
            world.survey.outdated()
    await carry_out(world, step, job.found, job.view, work(job.view, job.take))
    if job.running and not job.off and _told_cloud_init(step):
        await VmCalls.on(world.pve, job.found, {}).regenerate_cloudinit().send(step)
    if moving := _moving(step, job):
        await migrate.apply(world, moving)
        world.survey.outdated()


async def _read_back(world: World, step: Step, found: Found) -> Job:
    """The VM as it is after the writes.

    Raises: RemoteFailure naming what Proxmox did not keep, or what cannot be done yet.
    """
    after = await _job(world, step, found)
    busy = sorted({one.key for one in after.take if DISK.fullmatch(one.key)} & set(after.view.seen.waiting))
    if busy:
        raise RemoteFailure(
            f"{', '.join(busy)} of {step.host} did not grow or move",
            why="a change of it waits for a cold start, which would undo that",
            hint=f"pvenix reboot {step.host}, then this again",
            code="PVX0657",
        )
    refuse_lost(list(after.take), VmCalls.on(world.pve, found, {}).path)
    return after


async def _see_through(world: World, step: Step, found: Found) -> None:
    """Wait for the end of what an earlier process started; the VM itself tells what came of it.

    It may have died before it noted the answer, so what runs at the VM counts too.
    """
    if "vmid" not in step.known:
        return
    running = [task.upid for task in await world.pve.tasks_of(found.node, found.vmid) if task.running]
    for upid in dict.fromkeys([*running, *filter(None, [step.known.get("upid", "")])]):
        step.tell("an earlier process started a task; waiting for its end")
        with contextlib.suppress(RemoteFailure, OutcomeUnknown):
            await task_end(world, step, upid, timeout_s=_TASK_TIMEOUT_S)


def _gate(world: World, step: Step, job: Job) -> Outcome | None:
    """None when the reboot may be made now, or was begun by an earlier process; what was written waits with it."""
    if step.known.get("boot_id"):
        return None
    pending = ", ".join(f"{key}={value}" for key, value in sorted(job.view.seen.waiting.items()))
    named = step.named or bool(step.args.get("reboot"))
    change = Change(
        subject=f"VM {job.found.vmid} with {pending}", reboots=f"reboots to apply {', '.join(job.waiting)}", named=named
    )
    return gate(world, step, change)


async def _reboot(world: World, step: Step, job: Job) -> Job:
    """The VM after one reboot, which puts into effect what waits.

    Raises: RemoteFailure when it is not seen to boot, or something still waits.
    """
    found, vm = job.found, VmCalls.on(world.pve, job.found, {})
    strange = sorted(set(job.view.seen.waiting) - {one.key for one in job.view.wanted})
    if strange:
        step.tell(f"the reboot puts into effect too what others wrote: {', '.join(strange)}")
    await reboot_once(world, step, found)
    after = await _look(world, step, found, running=True)
    if BOOT in after.notes.applied:
        await Put(keys=(), done=frozenset(), booted=True).call(vm, after).send(step)
        after = await _look(world, step, found, running=True)
    still = [one for one in after.fields if one.state is FieldState.PENDING]
    if still:
        raise RemoteFailure(
            f"{', '.join(one.field for one in still)} still wait after a reboot",
            hint=f"GET {vm.path}/pending shows why; stop the VM and start it",
            code="PVX0652",
        )
    return replace(job, view=after)


def _pending(job: Job) -> Sequence[FieldPlan]:
    return [one for one in job.view.fields if one.state is FieldState.PENDING]


def _told_cloud_init(step: Step) -> bool:
    """True when this step, or an attempt of it that was interrupted, is about what cloud-init is told."""
    return any(CLOUD_INIT.fullmatch(key) for key in step.known.get("keys", "").split())


def _is_cloud_init(plan: FieldPlan) -> bool:
    return bool(CLOUD_INIT.fullmatch(plan.key))


def _summary(job: Job, wrote: Sequence[str], *, rebooted: bool = False) -> str:
    """What was written, what waits for a reboot and what for a VM that is off."""
    parts = [f"wrote {', '.join(wrote)}"] if wrote else []
    parts += ["rebooted"] if rebooted else []
    parts += [f"reboot to apply {', '.join(job.waiting)}"] if job.waiting else []
    parts += [f"needs --offline: {', '.join(one.field for one in job.left)}"] if job.left else []
    return "; ".join(parts)


def _impossible(host: str, fields: Sequence[FieldPlan]) -> Refused:
    first = fields[0]
    return Refused(
        f"{first.field} of {host} cannot go from {first.actual or 'nothing'} to {first.desired or 'nothing'}",
        why=first.note,
        hint=(f"{first.where}: " if first.where else "") + "take the change back; nothing of this host was written",
        evidence=tuple(f"{one.field}: {one.note}" for one in fields[1:]),
        code="PVX0653",
    )
