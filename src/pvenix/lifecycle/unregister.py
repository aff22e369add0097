"""Take a host's registration back before it is merged: delete its branch, and shut its own Git key out."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import gitkeys
from pvenix.lifecycle.calls import Call, git_call, shown
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused
from pvenix.model.names import CommitId, registration_branch
from pvenix.model.outcome import Outcome, Probe, Status, done, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when there is no branch, and an earlier attempt has nothing left open.

    Raises: Refused when main contains it: then the host is registered, and only retiring ends that.
    """
    main, branch = await world.repo.fetch(), registration_branch(step.host)
    tip = await world.repo.tip(branch)
    if tip is None:
        if "branch" in step.known:
            return needed("an interrupted attempt may have left the guest's own key in")
        return done(f"there is no {branch}")
    if await world.repo.contains(main, tip):
        raise Refused(
            f"{branch} is merged",
            why=f"main contains {tip[:10]}, so {step.host} is registered",
            hint=f"pvenix retire {step.host} destroys its VM and proposes that the inventory says so",
            code="PVX0598",
        )
    return needed(f"{branch} is at {tip[:10]}")


async def apply(world: World, step: Step) -> Outcome:
    """Delete the branch if it is where it was seen, and see that it is gone; then take the guest's key out."""
    await world.repo.fetch()
    branch = registration_branch(step.host)
    tip = await world.repo.tip(branch)
    await step.intend(branch=branch, tip=tip or step.known.get("tip", ""))
    if tip is not None:
        await _deletion(world, branch, tip).send(step)
        await world.repo.fetch()
        if (left := await world.repo.tip(branch)) is not None:
            raise OutcomeUnknown(
                f"{branch} is at {left[:10]}", hint="somebody pushed meanwhile; look at it, then again"
            )
    trouble = await gitkeys.shut_out(world, step)
    summary = f"{branch} is gone" + (f"; its Git key still opens the repository ({trouble})" if trouble else "")
    return Outcome(status=Status.CHANGED, summary=summary, evidence=(f"it was at {step.known['tip']}",))


async def commands(world: World, step: Step) -> Commands:
    """What `apply` would send."""
    branch = registration_branch(step.host)
    tip = await world.repo.tip(branch)
    deletion = shown([_deletion(world, branch, tip)]) if tip is not None else ()
    return (*deletion, *await gitkeys.shut_out_commands(world, step))


def _deletion(world: World, branch: str, tip: CommitId) -> Call[None]:
    return git_call(
        f"push origin :{branch} (was {tip[:10]})",
        lambda: world.repo.push_ref(f"refs/heads/{branch}", None, expect=tip),
    )
