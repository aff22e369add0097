"""Activate a system so that nobody is locked out: test, confirm over a new connection, then make it the boot default.

The target undoes an unconfirmed activation by itself (the dead-man), and its boot default stays the old one until then.
Every phase leaves evidence in the journal, so that another process can take over: see `Attempt`. A cut in any phase
is answered in the same way by the same process, until the dead-man must have spoken.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import deadman, fence, health, prune, secondnet, words
from pvenix.lifecycle.activation.attempt import GRACE_S, Attempt, next_id
from pvenix.lifecycle.activation.confirming import MakeDefault, confirm, contact, healthy, note, staged
from pvenix.lifecycle.activation.deadman import CONFIRMED, CONTACT
from pvenix.lifecycle.activation.follow import UnitEnd, Watch, judge, properties_in, watch_unit
from pvenix.lifecycle.activation.going_back import (
    HumanNeeded,
    after_reboot,
    clean_up,
    last_lines,
    revert,
    was_reverting,
    went_back,
)
from pvenix.lifecycle.activation.preparing import by_boot, prepare
from pvenix.lifecycle.activation.verdict import Next, Verdict, against_units, verdict
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import LockHeld, OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix.model.names import store_path
from pvenix.model.outcome import Outcome, Status, Waits
from pvenix.model.site import HealthCheck
from pvenix.model.update import Reboot

_PAUSE_S = 1.0
"""Between a cut and the next look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What is activated, and what decides on it."""

    new: str
    make_default: MakeDefault
    checks: tuple[HealthCheck, ...]
    watch: Watch


async def activate(
    world: World, step: Step, new: str, make_default: MakeDefault, *, checks: tuple[HealthCheck, ...]
) -> Outcome:
    """Activate `new`, or go on with the activation that an earlier process began; `checks` decide on its health."""
    begun = Attempt.from_known(step.known)
    patience_s = GRACE_S + (begun.confirm_s if begun else 0)
    watch = Watch(deadline=world.clock.monotonic() + patience_s)
    task = _Task(new=new, make_default=make_default, checks=checks, watch=watch)
    while True:
        try:
            return await _go_on(world, step, task)
        except HumanNeeded as error:
            return Outcome(status=Status.UNKNOWN, summary=str(error), hint=error.hint, evidence=error.evidence)
        except (Unreachable, OutcomeUnknown) as error:
            attempt = Attempt.from_known(step.known)
            if attempt is None and (isinstance(error, Unreachable) or world.clock.monotonic() > watch.deadline):
                raise  # nothing was begun
            if attempt is not None and world.clock.monotonic() > watch.deadline:
                if isinstance(error, Unreachable):
                    return await secondnet.catch(world, step, attempt, str(error))
                return _unknown(step, attempt, error)
            step.tell(f"unknown: {error}; looking again")
            await world.clock.sleep(_PAUSE_S)


async def _go_on(world: World, step: Step, task: _Task) -> Outcome:
    """Begin, or take up where this or an earlier process lost sight of it."""
    attempt, watch = Attempt.from_known(step.known), task.watch
    if attempt is not None:
        step.tell(f"going on with attempt {attempt.id}")
    if attempt is None or await _came_to_nothing(world, step, attempt):
        remote = await world.remote(step)
        attempt = await _begin(world, remote, task)
        await _launch(remote, attempt)
        watch.deadline, watch.offset = world.clock.monotonic() + attempt.confirm_s + GRACE_S, 0
    try:
        outcome = await _see_through(world, step, attempt, task)
    except LockHeld:
        # Our dead-man must not undo what the owner of the fence activates.
        await deadman.disarm(await world.remote(step), attempt, "abandoned")
        step.evidence(ended=attempt.id)
        raise
    step.evidence(ended=attempt.id)
    if outcome.status is Status.CHANGED:
        await prune.prune(world, step, newest=attempt.id)
    return outcome


async def _came_to_nothing(world: World, step: Step, attempt: Attempt) -> bool:
    """True when the attempt of a dead process left the host as it was: never started, or undone unconfirmed."""
    if was_reverting(step, attempt):
        return False
    try:
        remote = await world.remote(step)
    except Refused as error:  # a system that takes our key away locks us out like one that is silent
        raise Unreachable(f"{step.host} takes no login", why=str(error)) from error
    properties = properties_in(await remote.read(argv.unit_state(words.activation_unit(attempt.id))))
    if judge(properties) is not UnitEnd.GONE:
        return False
    if await deadman.tokens(remote, attempt) <= {"abandoned"}:  # what the host runs by now is somebody else's doing
        await clean_up(remote, attempt)
        return True
    if (await read_facts(remote)).current != attempt.old:
        return False
    confirmed = await deadman.is_at(remote, attempt, CONFIRMED)
    if confirmed and attempt.old == attempt.new:
        return False
    step.tell("the earlier attempt left the host as it was; starting anew")
    # Confirmed, and yet the old system runs: the host rebooted before it had a new boot default.
    if confirmed or await deadman.disarm(remote, attempt, "abandoned"):
        await clean_up(remote, attempt)
    else:
        await went_back(world, remote, attempt, "the target went back by itself")
    return True


async def _begin(world: World, remote: Remote, task: _Task) -> Attempt:
    """Find where the way back leads, and write the attempt down before anything is done for it."""
    step, facts = remote.step, await read_facts(remote)
    # A system of no commit of the fleet never promised what the roles' checks ask.
    sick = await health.failing_before(remote, task.checks) if facts.revision else ()
    if sick:
        step.tell(f"does not hold before the activation: {'; '.join(sick)}")
    attempt = Attempt(
        id=next_id(step),
        new=store_path(task.new),
        old=store_path(facts.current),
        profile=store_path(facts.profile),
        boot_id=facts.boot_id,
        failed_before=facts.failed_units,
        confirm_s=world.host(step).machine.update.confirm_timeout_s,
        sick_before=sick,
    )
    await step.intend(**attempt.to_known())
    return attempt


async def _launch(remote: Remote, attempt: Attempt) -> None:
    """Prepare, take the fence, arm the dead-man, then start the activation in its own unit."""
    step = remote.step
    try:
        await prepare(remote, attempt)
        await fence.take(remote, attempt.id)
        step.tell(f"armed: without confirmation it goes back in {attempt.confirm_s} s")
        await remote.write(argv.write_file(words.token(attempt.id, CONTACT)), stdin=attempt.id.encode())
        await remote.write(deadman.arming(attempt, CONTACT))
    except (LockHeld, RemoteFailure):
        await fence.release(remote, attempt.id)
        step.evidence(ended=attempt.id)
        raise
    step.tell("activating")
    started = await remote.try_write(words.activate(attempt.id, attempt.new, "test"))
    if not started.ok:
        step.tell("the start of the activation was not confirmed; looking at its unit")


async def _see_through(world: World, step: Step, attempt: Attempt, task: _Task) -> Outcome:
    """Follow the unit to its end, confirm or go back, and read back what came of it."""
    ended = await watch_unit(world, step, attempt.id, task.watch)
    remote = await contact(world, step, task.watch)
    facts = await read_facts(remote)
    if facts.boot_id != attempt.boot_id and facts.current != attempt.new:
        return await after_reboot(remote, attempt, facts)
    if ended.end is UnitEnd.GONE and facts.boot_id == attempt.boot_id and await deadman.is_armed(remote, attempt):
        await fence.keep(remote, attempt.id)
    if was_reverting(step, attempt):
        return await revert(world, remote, attempt, step.known["reason"])
    said = verdict(ended.status)
    if said.next in (Next.AS_IT_WAS, Next.REBOOT) and facts.current == attempt.old:
        return await _not_activated(world, remote, attempt, task, said)
    if ended.end is UnitEnd.FAILED and said.next is not Next.POLICY:
        return await revert(world, remote, attempt, said.what)
    if facts.current != attempt.new:
        return await went_back(world, remote, attempt, "the activation was not confirmed in time")
    if await deadman.is_at(remote, attempt, CONFIRMED):
        return await confirm(world, remote, attempt, task.make_default)
    # A machine that booted it has activated it whole.
    if ended.end is UnitEnd.GONE and facts.boot_id == attempt.boot_id:
        return await revert(world, remote, attempt, said.what)
    policy = world.fleet.on_failure(step.host)
    failed = [
        unit for unit in facts.failed_units if unit not in deadman.all_units(attempt)
    ]  # ours says it in its status
    fatal, kept = against_units(policy, failed=failed, before=attempt.failed_before, status=ended.status)
    if fatal:
        return await revert(world, remote, attempt, fatal)
    note(step, kept)
    return await _by_health(world, remote, attempt, task)


async def _by_health(world: World, remote: Remote, attempt: Attempt, task: _Task) -> Outcome:
    sick = await healthy(world, remote, attempt, task.checks, task.watch)
    if sick is None:
        return await went_back(world, remote, attempt, "it had begun to go back before its health was looked at")
    if sick:
        return await revert(world, remote, attempt, f"not healthy: {sick}")
    return await confirm(world, remote, attempt, task.make_default)


async def _not_activated(world: World, remote: Remote, attempt: Attempt, task: _Task, said: Verdict) -> Outcome:
    """The host runs what it ran, and no unit was touched: disarm, and say why; stage what only a reboot activates."""
    step = remote.step
    if not await deadman.disarm(remote, attempt, "abandoned"):
        return await went_back(world, remote, attempt, said.what)
    lines = await last_lines(remote, attempt)
    if said.next is Next.REBOOT and world.host(step).machine.update.reboot is Reboot.AUTO:
        return await staged(remote, attempt, task.make_default, said.what)
    await clean_up(remote, attempt)
    if said.next is Next.REBOOT:
        return Outcome(
            status=Status.WAITING,
            waits=Waits.REBOOT,
            summary=f"{said.what}; it runs what it ran",
            hint=by_boot(step.host),
            evidence=lines,
        )
    return Outcome(status=Status.FAILED, summary=f"{said.what}; it runs what it ran", hint=said.advice, evidence=lines)


def _unknown(step: Step, attempt: Attempt, error: OutcomeUnknown) -> Outcome:
    return Outcome(
        status=Status.UNKNOWN,
        summary=f"the end of the activation was not seen: {error}",
        hint=f"units {words.activation_unit(attempt.id)} and {words.dead_man_unit(attempt.id, CONTACT)} "
        f"decide on the host; `pvenix resume {step.run}` reads what came of it",
        evidence=error.evidence,
    )
