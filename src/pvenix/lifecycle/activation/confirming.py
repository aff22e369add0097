"""What decides on a new system that runs: contact over a new connection, failed units, health; then the boot default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import deadman, health, words
from pvenix.lifecycle.activation.attempt import GRACE_S, Attempt
from pvenix.lifecycle.activation.deadman import CONFIRMED, CONTACT, HEALTH
from pvenix.lifecycle.activation.follow import Watch
from pvenix.lifecycle.activation.going_back import clean_up, went_back
from pvenix.lifecycle.activation.preparing import changes_known
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix.model.generation import HostFacts
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Outcome, Status
from pvenix.model.site import HealthCheck

MakeDefault = Callable[[Remote], Awaitable[None]]
_NOTES = "notes"


async def contact(world: World, step: Step, watch: Watch) -> Remote:
    """The host over a new connection that takes commands as root: the proof that the new system can be worked on.

    A system that takes our key or sudo away locks us out like one that does not answer: its dead-man decides.
    Raises: Unreachable when there is no contact until the deadline, by when the dead-man must have gone back.
    """
    told = False
    while True:
        try:
            session = await world.ways.fresh(step.host)
            remote = Remote(session=session, step=step)
            await remote.read(argv.NOTHING, sudo=True, timeout_s=15)
        except (Unreachable, Refused, RemoteFailure, OutcomeUnknown) as error:
            if world.clock.monotonic() > watch.deadline:
                raise Unreachable(f"{step.host} takes no commands over a new connection", why=str(error)) from error
            if not told:
                step.tell(f"no contact over a new connection ({error}); the target goes back by itself unless it comes")
                told = True
            await world.clock.sleep(0.5)
        else:
            return remote


async def healthy(
    world: World, remote: Remote, attempt: Attempt, checks: tuple[HealthCheck, ...], watch: Watch
) -> str | None:
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
    watch.deadline = max(watch.deadline, world.clock.monotonic() + deadman.patience_s(attempt, checks) + GRACE_S)
    found = await health.after(
        world, remote, checks, before=attempt.sick_before, policy=world.fleet.on_failure(remote.step.host)
    )
    note(remote.step, found.kept)
    return found.fatal


def note(step: Step, text: str) -> None:
    """Tell what is wrong and yet kept, now and at the step's end."""
    known = step.known.get(_NOTES, "")
    if text and text not in known:
        step.tell(text)
        step.evidence(**{_NOTES: f"{known}; {text}" if known else text})


async def confirm(world: World, remote: Remote, attempt: Attempt, make_default: MakeDefault) -> Outcome:
    """Disarm, then make the new system the boot default, and read everything back."""
    step = remote.step
    step.tell("confirmed; disarming")
    await step.intend(confirming=attempt.id)
    if not await deadman.disarm(remote, attempt, CONFIRMED):
        return await went_back(world, remote, attempt, "the target had begun to go back when the confirmation arrived")
    try:
        facts = await defaulted(remote, attempt, make_default)
    except RemoteFailure as error:
        raise await _runs_unbooted(remote, attempt, error) from error
    if facts.current != attempt.new or not facts.settled:
        raise _not_default(step, facts)
    await clean_up(remote, attempt)
    notes = step.known.get(_NOTES, "")
    return Outcome(
        status=Status.CHANGED,
        summary=f"runs {facts.revision[:10] or short_store_path(attempt.new)}, confirmed, and boots it next time"
        + (f"; {notes}" if notes else ""),
        evidence=changes_known(step),
        facts={"current": facts.current, "revision": facts.revision},
    )


async def staged(remote: Remote, attempt: Attempt, make_default: MakeDefault, why: str) -> Outcome:
    """Make the new system the boot default while the old one runs on, and read that back."""
    step = remote.step
    facts = await defaulted(remote, attempt, make_default)
    if facts.profile != attempt.new or facts.starts not in ("", attempt.new):
        raise _not_default(step, facts)
    await clean_up(remote, attempt)
    return staged_outcome(step, attempt, why)


def staged_outcome(step: Step, attempt: Attempt, why: str) -> Outcome:
    """What is said of a system that only a boot brings."""
    return Outcome(
        status=Status.CHANGED,
        summary=f"staged: {why}; it runs what it ran, and boots {short_store_path(attempt.new)} next time",
        hint=f"pvenix reboot {step.host}",
        evidence=changes_known(step),
        facts={"staged": attempt.new},
    )


async def defaulted(remote: Remote, attempt: Attempt, make_default: MakeDefault) -> HostFacts:
    """What the host says after the new system was made its boot default.

    Raises: RemoteFailure when the boot loader could not be written; the profile is what it was then.
    """
    try:
        await make_default(remote)
    except RemoteFailure:
        # The profile says what boots next time; left at the new system it would claim what its boot loader does not do.
        await remote.write(argv.set_profile(attempt.profile))
        raise
    return await read_facts(remote)


async def _runs_unbooted(remote: Remote, attempt: Attempt, error: RemoteFailure) -> RemoteFailure:
    """What to say when the confirmed system runs and could not be made the boot default."""
    facts = await read_facts(remote)
    runs = "the new system, confirmed" if facts.current == attempt.new else short_store_path(facts.current)
    boots = short_store_path(facts.starts) if facts.starts else "nobody knows what"
    return RemoteFailure(
        f"it runs {runs}, and boots {boots} next time, as the boot loader could not be written",
        why=str(error),
        hint=f"mend what stands in the way, then: pvenix resume {remote.step.run}",
        code="PVX0669",
        evidence=error.evidence,
    )


def _not_default(step: Step, facts: HostFacts) -> RemoteFailure:
    return RemoteFailure(
        "the boot default is not what was asked for",
        why=f"current {facts.current}, profile {facts.profile}, boot loader {facts.starts or 'not known'}",
        hint=f"pvenix resume {step.run}",
        code="PVX0621",
    )
