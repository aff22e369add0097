"""Activate a system so that nobody is locked out: test, confirm over a new connection, then make it the boot default.

The target undoes an unconfirmed activation by itself (the dead-man), and its boot default stays the old one until then.
Every phase leaves evidence in the journal, so that another process can take over: see `Attempt`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import deadman, fence, health, secondnet, words
from pvenix.lifecycle.activation.attempt import GRACE_S, Attempt, next_id
from pvenix.lifecycle.activation.deadman import CONFIRMED, CONTACT, HEALTH
from pvenix.lifecycle.activation.follow import UnitEnd, judge, properties_in, watch_unit
from pvenix.lifecycle.activation.preparing import prepare
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import LockHeld, OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix.model.generation import HostFacts
from pvenix.model.names import short_store_path, store_path
from pvenix.model.outcome import Outcome, Status
from pvenix.model.site import HealthCheck

_TAIL = 8
MakeDefault = Callable[[Remote], Awaitable[None]]


async def activate(
    world: World, step: Step, new: str, make_default: MakeDefault, *, checks: tuple[HealthCheck, ...]
) -> Outcome:
    """Activate `new`, or go on with the activation that an earlier process began; `checks` decide on its health."""
    attempt = Attempt.from_known(step.known)
    if attempt is not None:
        step.tell(f"going on with attempt {attempt.id}")
    if attempt is None or await _came_to_nothing(world, step, attempt):
        remote = await world.remote(step)
        attempt = await _begin(world, remote, new)
        await _launch(remote, attempt)
    try:
        outcome = await _see_through(world, step, attempt, make_default, checks)
    except Unreachable as error:
        outcome = await secondnet.catch(world, step, attempt, str(error))
        if outcome.status is Status.UNKNOWN:
            return outcome
    except OutcomeUnknown as error:
        return _unknown(step, attempt, error)
    except LockHeld:
        # Our dead-man must not undo what the owner of the fence activates.
        await deadman.disarm(await world.remote(step), attempt, "abandoned")
        step.evidence(ended=attempt.id)
        raise
    step.evidence(ended=attempt.id)
    return outcome


async def _came_to_nothing(world: World, step: Step, attempt: Attempt) -> bool:
    """True when the attempt of a dead process left the host as it was: never started, or undone unconfirmed."""
    if _was_reverting(step, attempt):
        return False
    try:
        remote = await world.remote(step)
    except (Unreachable, Refused):
        return False  # it may come back, or the second net has to see to it
    properties = properties_in(await remote.read(argv.unit_state(words.activation_unit(attempt.id))))
    if judge(properties) is not UnitEnd.GONE:
        return False
    if await deadman.tokens(remote, attempt) <= {"abandoned"}:  # what the host runs by now is somebody else's doing
        await _clean_up(remote, attempt)
        return True
    if (await read_facts(remote)).current != attempt.old:
        return False
    confirmed = await deadman.is_at(remote, attempt, CONFIRMED)
    if confirmed and attempt.old == attempt.new:
        return False
    step.tell("the earlier attempt left the host as it was; starting anew")
    # Confirmed, and yet the old system runs: the host rebooted before it had a new boot default.
    if confirmed or await deadman.disarm(remote, attempt, "abandoned"):
        await _clean_up(remote, attempt)
    else:
        await _went_back(world, remote, attempt, "the target went back by itself")
    return True


async def _begin(world: World, remote: Remote, new: str) -> Attempt:
    """Find where the way back leads, and write the attempt down before anything is done for it."""
    step, facts = remote.step, await read_facts(remote)
    attempt = Attempt(
        id=next_id(step),
        new=store_path(new),
        old=store_path(facts.current),
        profile=store_path(facts.profile),
        boot_id=facts.boot_id,
        failed_before=facts.failed_units,
        confirm_s=world.host(step).machine.update.confirm_timeout_s,
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


async def _see_through(
    world: World, step: Step, attempt: Attempt, make_default: MakeDefault, checks: tuple[HealthCheck, ...]
) -> Outcome:
    """Follow the unit to its end, confirm or go back, and read back what came of it."""
    deadline = world.clock.monotonic() + attempt.confirm_s + GRACE_S
    end = await watch_unit(world, step, attempt.id, deadline=deadline)
    remote = await _contact(world, step, deadline)
    facts = await read_facts(remote)
    if facts.boot_id != attempt.boot_id and facts.current != attempt.new:
        return await _after_reboot(remote, attempt, facts)
    if _was_reverting(step, attempt):
        return await _revert(world, remote, attempt, step.known["reason"])
    if end is UnitEnd.FAILED:
        return await _revert(world, remote, attempt, "the activation failed")
    if facts.current != attempt.new:
        return await _went_back(world, remote, attempt, "the activation was not confirmed in time")
    if await deadman.is_at(remote, attempt, CONFIRMED):
        return await _confirm(world, remote, attempt, make_default)
    new_failures = sorted(set(facts.failed_units) - set(attempt.failed_before))
    if new_failures:
        return await _revert(world, remote, attempt, f"units failed: {', '.join(new_failures)}")
    sick = await _health(world, remote, attempt, checks)
    if sick is None:
        return await _went_back(world, remote, attempt, "it had begun to go back before its health was looked at")
    if sick:
        return await _revert(world, remote, attempt, f"not healthy: {sick}")
    return await _confirm(world, remote, attempt, make_default)


async def _contact(world: World, step: Step, deadline: float) -> Remote:
    """The host over a new connection that takes commands as root: the proof that the new system can be worked on.

    A system that takes our key or sudo away locks us out like one that does not answer: its dead-man decides.
    Raises: Unreachable when there is no contact until `deadline`, by when the dead-man must have gone back.
    """
    told = False
    while True:
        try:
            session = await world.ways.fresh(step.host)
            remote = Remote(session=session, step=step)
            await remote.read(argv.NOTHING, sudo=True, timeout_s=15)
        except (Unreachable, Refused, RemoteFailure, OutcomeUnknown) as error:
            if world.clock.monotonic() > deadline:
                raise Unreachable(f"{step.host} takes no commands over a new connection", why=str(error)) from error
            if not told:
                step.tell(f"no contact over a new connection ({error}); the target goes back by itself unless it comes")
                told = True
            await world.clock.sleep(0.5)
        else:
            return remote


async def _health(world: World, remote: Remote, attempt: Attempt, checks: tuple[HealthCheck, ...]) -> str | None:
    """What is not healthy, empty when all is; a second dead-man covers the time that this takes.

    None when the first dead-man has begun to go back.
    """
    if not checks:
        return ""
    await deadman.start_once(remote, deadman.arming(attempt, HEALTH, checks), words.dead_man_unit(attempt.id, HEALTH))
    if not await deadman.taken(remote, attempt, CONTACT, f"armed-{HEALTH}"):
        await deadman.stop(remote, words.dead_man_unit(attempt.id, HEALTH))  # it has no token and only sleeps
        return None
    await deadman.stop(remote, words.dead_man_unit(attempt.id, CONTACT))
    return await health.first_problem(world, remote, checks)


async def _confirm(world: World, remote: Remote, attempt: Attempt, make_default: MakeDefault) -> Outcome:
    """Disarm, then make the new system the boot default, and read everything back."""
    step = remote.step
    step.tell("confirmed; disarming")
    await step.intend(confirming=attempt.id)
    if not await deadman.disarm(remote, attempt, CONFIRMED):
        return await _went_back(world, remote, attempt, "the target had begun to go back when the confirmation arrived")
    try:
        await make_default(remote)
    except RemoteFailure:
        # The profile says what boots next time; left at the new system it would claim what its boot loader does not do.
        await remote.write(argv.set_profile(attempt.profile))
        raise
    facts = await read_facts(remote)
    if facts.current != attempt.new or not facts.settled:
        raise RemoteFailure(
            "the boot default is not what was activated",
            why=f"current {facts.current}, profile {facts.profile}, boot loader {facts.starts or 'not known'}",
            hint=f"pvenix resume {step.run}",
            code="PVX0621",
        )
    await _clean_up(remote, attempt)
    return Outcome(
        status=Status.CHANGED,
        summary=f"runs {facts.revision[:10] or short_store_path(attempt.new)}, confirmed, and boots it next time",
        facts={"current": facts.current, "revision": facts.revision},
    )


async def _revert(world: World, remote: Remote, attempt: Attempt, reason: str) -> Outcome:
    """Go back to what ran before, ourselves; the dead-man stays armed until that is seen."""
    step = remote.step
    step.tell(f"{reason}; going back to what ran before")
    await step.intend(reverting=attempt.id, reason=reason)
    await remote.try_write(words.stop_unit(words.activation_unit(attempt.id)))
    await deadman.start_once(remote, words.revert(attempt.id, old=attempt.old), words.revert_unit(attempt.id))
    return await _went_back(world, remote, attempt, reason)


def _was_reverting(step: Step, attempt: Attempt) -> bool:
    """True when it was decided to go back: what is found later does not make the new system good again."""
    return step.known.get("reverting") == attempt.id


async def _went_back(world: World, remote: Remote, attempt: Attempt, reason: str) -> Outcome:
    """Read that the old system runs and boots again; however long the switch to it takes."""
    deadline = world.clock.monotonic() + GRACE_S
    while True:
        going = await _going_back(remote, attempt)
        facts = await read_facts(remote)
        if facts.current == attempt.old and facts.profile == attempt.profile and not going:
            break
        if world.clock.monotonic() > deadline and not going:
            raise OutcomeUnknown(
                f"{remote.step.host} neither runs the new system nor the one before",
                why=f"it runs {facts.current}",
                hint="look at its console",
                code="PVX0622",
            )
        await world.clock.sleep(0.5)
    lines = (await remote.try_read(("cat", words.activation_log(attempt.id)), sudo=True)).stdout.splitlines()
    await deadman.disarm(remote, attempt, "reverted")
    await _clean_up(remote, attempt)
    return Outcome(
        status=Status.ROLLED_BACK,
        summary=reason,
        hint=f"the log is {words.activation_log(attempt.id)} on the host",
        evidence=tuple(lines[-_TAIL:]),
        facts={"current": attempt.old},
    )


async def _going_back(remote: Remote, attempt: Attempt) -> bool:
    """True while the way to the old system is gone: stopped half-way it would leave units down.

    A dead-man that has its token is on it from its next line on; one that has not yet sleeps in the same state.
    """
    at_work = {"start", "running"} | ({"start-pre"} if await deadman.is_at(remote, attempt, words.FIRED) else set())
    units = (*deadman.dead_men(attempt), words.revert_unit(attempt.id))
    states = [properties_in(await remote.read(argv.unit_state(unit))) for unit in units]
    return any(state.get("SubState") in at_work for state in states)


async def _after_reboot(remote: Remote, attempt: Attempt, facts: HostFacts) -> Outcome:
    """The host rebooted meanwhile: it runs its boot default, which was never changed."""
    if facts.current in (attempt.profile, attempt.old) and facts.profile == attempt.profile:
        return Outcome(status=Status.ROLLED_BACK, summary="the host rebooted into its boot default before confirmation")
    raise OutcomeUnknown(
        f"{remote.step.host} rebooted", why=f"it runs {facts.current}", hint="look at its console", code="PVX0623"
    )


async def _clean_up(remote: Remote, attempt: Attempt) -> None:
    """Leave nothing of the attempt in the way of the next one; its directory stays, with log and roots."""
    await deadman.stop(remote, *deadman.all_units(attempt))
    await fence.release(remote, attempt.id)


def _unknown(step: Step, attempt: Attempt, error: OutcomeUnknown) -> Outcome:
    return Outcome(
        status=Status.UNKNOWN,
        summary=f"the end of the activation was not seen: {error}",
        hint=f"units {words.activation_unit(attempt.id)} and {words.dead_man_unit(attempt.id, CONTACT)} "
        f"decide on the host; `pvenix resume {step.run}` reads what came of it",
        evidence=error.evidence,
    )
