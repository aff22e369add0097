"""The way back: the old system is made to run again, that is read back, and who went it is told."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.engine.step import Step
from pvenix.lifecycle.activation import deadman, fence, words
from pvenix.lifecycle.activation.attempt import GRACE_S, Attempt
from pvenix.lifecycle.activation.follow import properties_in, status_in
from pvenix.lifecycle.activation.verdict import Next, verdict
from pvenix.lifecycle.argv import switch_to, unit_state
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.generation import HostFacts
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Outcome, Status

_TAIL = 8


class HumanNeeded(OutcomeUnknown):
    """The host neither runs the new system nor, whole, the one before: nothing that pvenix can do brings it back."""

    code = "PVX0622"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How far the way back is."""

    going: bool = False
    """A unit is at it: stopped half-way it would leave units down."""
    asleep: bool = False
    """A dead-man still has its token, and goes back at its hour."""
    arrived: bool = False
    """A unit that went back ended well."""
    failed: tuple[int | None, ...] = ()
    """How units that went back ended otherwise."""

    @property
    def whole(self) -> bool:
        """True when the old system, if it runs, runs as its configuration says but for units that failed."""
        return self.arrived or all(verdict(status).next is Next.POLICY for status in self.failed)


async def revert(world: World, remote: Remote, attempt: Attempt, reason: str) -> Outcome:
    """Go back to what ran before, ourselves; the dead-man stays armed until that is seen."""
    step = remote.step
    step.tell(f"{reason}; going back to what ran before")
    await step.intend(reverting=attempt.id, reason=reason)
    await remote.try_write(words.stop_unit(words.activation_unit(attempt.id)))
    await _set_out(remote, attempt)
    return await went_back(world, remote, attempt, reason)


def was_reverting(step: Step, attempt: Attempt) -> bool:
    """True when it was decided to go back: what is found later does not make the new system good again."""
    return step.known.get("reverting") == attempt.id


async def went_back(world: World, remote: Remote, attempt: Attempt, reason: str) -> Outcome:
    """Read that the old system runs and boots again; however long the switch to it takes.

    A way back that failed is gone once more, by the dead-man while it is armed and else by us.
    Raises: HumanNeeded when that fails too, LockHeld when somebody took the host over and it runs a third system.
    """
    again, deadline = False, world.clock.monotonic() + GRACE_S
    while True:
        way, facts = await _look(remote, attempt), await read_facts(remote)
        if facts.current == attempt.old and facts.profile == attempt.profile and not way.going and way.whole:
            break
        if way.failed and not way.whole and not way.going and not way.asleep:
            if again:
                raise await _needed(remote, attempt, facts, way)
            remote.step.tell(f"the way back failed: {_ends(way)}; once more")
            again, deadline = True, world.clock.monotonic() + GRACE_S
            await _set_out(remote, attempt)
        elif world.clock.monotonic() > deadline and not way.going and not (way.failed and way.asleep):
            if facts.current not in (attempt.old, attempt.new):
                await fence.keep(remote, attempt.id)
            raise await _needed(remote, attempt, facts, way)
        await world.clock.sleep(0.5)
    lines = await last_lines(remote, attempt)
    await deadman.disarm(remote, attempt, "reverted")
    await clean_up(remote, attempt)
    units = "; units failed on the way back, systemctl --failed shows them" if way.failed and not way.arrived else ""
    return Outcome(
        status=Status.ROLLED_BACK,
        summary=f"{reason}{units}",
        hint=f"the log is {words.activation_log(attempt.id)} on the host",
        evidence=lines,
        facts={"current": attempt.old},
    )


async def after_reboot(remote: Remote, attempt: Attempt, facts: HostFacts) -> Outcome:
    """The host rebooted meanwhile: it runs its boot default, which was never changed."""
    if facts.current in (attempt.profile, attempt.old) and facts.profile == attempt.profile:
        return Outcome(status=Status.ROLLED_BACK, summary="the host rebooted into its boot default before confirmation")
    raise HumanNeeded(
        f"{remote.step.host} rebooted into another system than those of the attempt",
        why=f"it runs {facts.current}",
        hint=f"somebody else is at work there: pvenix console {remote.step.host}",
        code="PVX0623",
    )


async def clean_up(remote: Remote, attempt: Attempt) -> None:
    """Leave nothing of the attempt in the way of the next one; its directory stays, with log and roots."""
    await deadman.stop(remote, *deadman.all_units(attempt))
    await fence.release(remote, attempt.id)


async def last_lines(remote: Remote, attempt: Attempt) -> tuple[str, ...]:
    """The end of the attempt's log."""
    text = (await remote.try_read(("cat", words.activation_log(attempt.id)), sudo=True)).stdout
    return tuple(text.splitlines()[-_TAIL:])


async def _set_out(remote: Remote, attempt: Attempt) -> None:
    """Start the unit that goes back; one that failed, also for an earlier process, goes once more."""
    unit = words.revert_unit(attempt.id)
    if properties_in(await remote.read(unit_state(unit))).get("ActiveState") == "failed":
        await remote.try_write(words.forget_failure(unit), show_output=False)
    await deadman.start_once(remote, words.revert(attempt.id, old=attempt.old), unit)


async def _look(remote: Remote, attempt: Attempt) -> _Way:
    """How far the way back is.

    A dead-man that has its token is on it from its next line on; one that has not yet sleeps in the same state. One that
    woke without a token fails before its main line, and never went.
    """
    tokens = await deadman.tokens(remote, attempt)
    fired = words.FIRED in tokens
    going, failed, arrived = False, [], False
    units = (*deadman.dead_men(attempt), words.revert_unit(attempt.id))
    states = [properties_in(await remote.read(unit_state(unit))) for unit in units]
    for state in states:
        going |= state.get("SubState") in ({"start", "running"} | ({"start-pre"} if fired else set()))
        if state.get("ActiveState") == "failed" and state.get("ExecMainCode", "0") != "0":
            failed.append(status_in(state))
    arrived = states[-1].get("SubState") == "exited"
    dead_men_failed = any(state.get("ExecMainCode", "0") != "0" for state in states[:-1])
    sleeping = any(state.get("SubState") == "start-pre" for state in states[:-1])
    return _Way(
        going=going,
        asleep=sleeping and bool(tokens & {f"armed-{phase}" for phase in (deadman.CONTACT, deadman.HEALTH)}),
        arrived=arrived or (fired and not going and not dead_men_failed),
        failed=tuple(failed),
    )


def _ends(way: _Way) -> str:
    ends = [f"status {status}" if status is not None else "no status" for status in way.failed]
    return f"it ended with {', '.join(ends)}" if ends else "it has not begun, or did not end"


async def _needed(remote: Remote, attempt: Attempt, facts: HostFacts, way: _Way) -> HumanNeeded:
    host, runs, boots = (
        remote.step.host,
        short_store_path(facts.current),
        short_store_path(facts.starts or facts.profile),
    )
    if facts.current == attempt.old:
        runs = f"its old system {runs}, not whole,"
    return HumanNeeded(
        f"{host} did not get back to what ran before; a person is needed",
        why=f"the way back: {_ends(way)}; it runs {runs} and boots {boots} next time",
        hint=f"pvenix console {host}, log in there as root and run: {' '.join(switch_to(attempt.old, 'switch'))}; or reboot "
        f"it, as its boot default was not changed; then: pvenix resume {remote.step.run}",
        evidence=await last_lines(remote, attempt),
    )
