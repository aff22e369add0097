"""SSH stays dead after an activation although the dead-man's time is over: Proxmox is the second net, as far as policy goes.

In this order: look through the guest agent and ask the host to go back; press reset, as the boot default is still the old
system; go back to the snapshot taken before the update. Each rung is said before it is tried, and read back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pvenix.engine.step import Step
from pvenix.lifecycle.activation import netrungs, words
from pvenix.lifecycle.activation.attempt import GRACE_S, Attempt
from pvenix.lifecycle.activation.deadman import CONTACT
from pvenix.lifecycle.activation.netrungs import UNHEARD, Fallen
from pvenix.lifecycle.evidence import serial_command, shown_state
from pvenix.lifecycle.selfguard import is_self
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Status
from pvenix.model.update import SecondNet

_BEGUN: Final = "second_net"
_TRIED: Final = "tried"
_DOES: Final[Mapping[SecondNet, str]] = {
    SecondNet.AGENT: "looking through the guest agent, to ask the host to go back if it has not",
    SecondNet.RESET: "resetting the VM: its boot default is the old system; what was not written to disk is lost",
    SecondNet.SNAPSHOT: "going back to the snapshot from before the update: all data written since is lost",
}
_RUNGS: Final[Mapping[SecondNet, Callable[[Fallen], Awaitable[Outcome]]]] = {
    SecondNet.AGENT: netrungs.by_agent,
    SecondNet.RESET: netrungs.by_reset,
    SecondNet.SNAPSHOT: netrungs.by_snapshot,
}


def policy(world: World, step: Step) -> tuple[SecondNet, ...]:
    """The rungs that may be tried for the host; the one that runs pvenix is not switched off under it."""
    rungs = world.host(step).machine.update.second_net
    return tuple(rung for rung in rungs if rung is SecondNet.AGENT) if is_self(world, step.host) else rungs


def foretell(world: World, step: Step) -> None:
    """Say what would be tried, for `--check`."""
    within = world.host(step).machine.update.confirm_timeout_s + GRACE_S
    rungs = policy(world, step)
    step.tell(
        f"without contact for {within} s after the activation: "
        + (
            "; then ".join(_DOES[rung] for rung in rungs)
            if rungs
            else "nothing but its own dead-man (second_net is empty)"
        )
    )


async def catch(world: World, step: Step, attempt: Attempt, why: str) -> Outcome:
    """The end of an attempt whose host did not answer until the dead-man's time was over.

    A rung that an earlier process began is gone on with, one that did not help is not tried again.
    Raises: LocalResource when it cannot be recorded.
    """
    if step.known.get("confirming") == attempt.id:  # its boot default may be the new system by now
        return _person(step, attempt, why, "it was confirmed before contact was lost, so nothing goes back by itself")
    try:
        found = await world.vms.certain(step.host, step.facts)
    except UNHEARD as error:
        return _person(step, attempt, why, str(error))
    if found is None:
        return _person(step, attempt, why, "it has no VM that is ours")
    if step.known.get(_BEGUN) != attempt.id:
        await step.intend(**{_BEGUN: attempt.id, _TRIED: "", "reverting": attempt.id, "reason": why})
    fallen, failed = Fallen(world=world, step=step, attempt=attempt, found=found), ""
    for rung in policy(world, step):
        outcome = await _try(fallen, rung)
        if isinstance(outcome, Outcome):
            step.evidence(ended=attempt.id)
            return outcome
        failed += f"; {rung}: {outcome}"
    shell = f"look at its console: {' '.join(serial_command(found))}"
    return _person(step, attempt, why, failed.removeprefix("; "), *await shown_state(world, found), shell)


async def _try(fallen: Fallen, rung: SecondNet) -> Outcome | str:
    """How the attempt ended by this rung, or why it did not."""
    step, attempt = fallen.step, fallen.attempt
    tried = step.known[_TRIED].split()
    if rung in tried:
        return "it did not help before"
    step.tell(f"no contact for {attempt.confirm_s + GRACE_S} s; {_DOES[rung]}")
    try:
        return await _RUNGS[rung](fallen)
    except UNHEARD as error:
        step.tell(f"{rung}: {error}")
        await step.intend(**{_TRIED: " ".join((*tried, rung))})
        return str(error)


def _person(step: Step, attempt: Attempt, why: str, tried: str, *state: str) -> Outcome:
    """A person is needed: what was tried, and how to look."""
    return Outcome(
        status=Status.UNKNOWN,
        summary=f"{step.host} needs a person at its console: {why}" + (f"; {tried}" if tried else ""),
        hint=f"pvenix console {step.host}; unless the new system was confirmed, its boot default is the old one, "
        f"{attempt.old}: boot it; then `pvenix resume {step.run}` reads what came of it",
        evidence=(
            *state,
            f"units {words.activation_unit(attempt.id)} and {words.dead_man_unit(attempt.id, CONTACT)} decide on the host",
        ),
    )
