"""Make a system the boot default without activating it: `update.strategy: boot`, and what only a reboot can bring."""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.lifecycle.activation import fence, prune
from pvenix.lifecycle.activation.attempt import Attempt, next_id
from pvenix.lifecycle.activation.confirming import MakeDefault, staged, staged_outcome
from pvenix.lifecycle.activation.preparing import keep
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.world import World
from pvenix.model.errors import LockHeld, RemoteFailure
from pvenix.model.names import store_path
from pvenix.model.outcome import Outcome

_HOW = "how"
_STAGED = "boot"


def is_staging(step: Step) -> bool:
    """True when the attempt that a dead process left open only stages a system."""
    return step.known.get(_HOW) == _STAGED


async def stage(
    world: World, step: Step, new: str, make_default: MakeDefault, why: str = "update.strategy is boot"
) -> Outcome:
    """Make `new` what the host boots next time, as `why` asks for; nothing that runs is touched, so no dead-man is needed.

    All of it may be done again: what an earlier process began is gone on with under its name.
    Raises: LockHeld when another attempt is at work, RemoteFailure when the boot loader cannot be written.
    """
    remote, facts = await world.remote(step), await read_facts(await world.remote(step))
    begun = Attempt.from_known(step.known)
    if begun is not None and not facts.fence and facts.profile == begun.new == (facts.starts or begun.new):
        step.evidence(ended=begun.id)  # all of it was done, and the fence given back, before that could be written down
        return staged_outcome(step, begun, why)
    attempt = begun or Attempt(
        id=next_id(step),
        new=store_path(new),
        old=store_path(facts.current),
        profile=store_path(facts.profile),
        boot_id=facts.boot_id,
        failed_before=facts.failed_units,
        confirm_s=world.host(step).machine.update.confirm_timeout_s,
    )
    await step.intend(**attempt.to_known(), **{_HOW: _STAGED})
    try:
        await keep(remote, attempt)
        await fence.take(remote, attempt.id)
        outcome = await staged(remote, attempt, make_default, why)
    except (LockHeld, RemoteFailure):
        await fence.release(remote, attempt.id)
        step.evidence(ended=attempt.id)
        raise
    step.evidence(ended=attempt.id)
    await prune.prune(world, step, newest=attempt.id)
    return outcome
