"""Let old generations of a guest go, and have its boot loader offer them no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import fence
from pvenix.lifecycle.generations import Link, Profile, read_profile, without_system
from pvenix.lifecycle.remote import Remote, as_text
from pvenix.lifecycle.retention import Policy, doomed, protected
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip

_LOADER_S: Final = 300


async def probe(world: World, step: Step) -> Probe:
    """Done when the policy lets no generation go and the boot loader offers none that is gone.

    Raises: LockHeld while a system is being activated, UsageError for a policy that is none.
    """
    if reason := await without_system(world, step.host):
        return skip(reason)
    remote = await world.remote(step)
    profile, going = await _look(world, step, remote)
    owners = (await remote.try_read(argv.FENCE_OWNER, sudo=True)).stdout.split()
    if owners and owners != [_id(step)]:
        raise fence.held(step.host, owners)
    if not going and not profile.stale and not owners and not _half_done(step):
        kept = len(profile.links)
        return done(f"{kept} generation{'s' if kept != 1 else ''}, and all of them stay")
    if going:
        return needed(f"of {len(profile.links)} generations go: {_numbers(going)}")
    return needed("the boot loader is to be written anew")


async def apply(world: World, step: Step) -> Outcome:
    """Delete them by number, write the boot loader's entries anew, and read both back."""
    remote = await world.remote(step)
    await step.intend(fence=_id(step))
    await fence.take(remote, _id(step))
    try:
        return await _prune(world, step, remote)
    finally:
        await _give_back(remote)


async def _prune(world: World, step: Step, remote: Remote) -> Outcome:
    profile, going = await _look(world, step, remote)  # again: the fence is ours only now
    for number, reason in protected(profile).items():
        step.tell(f"generation {number} stays: {reason}")
    if going:
        await step.intend(deleting=_numbers(going))
        await remote.write(deleting(going))
    await remote.write(argv.switch_to(profile.boots, "boot"), timeout_s=_LOADER_S)
    step.evidence(loaded="yes")
    left = await read_profile(remote)
    _judge(profile, left, going)
    gone = step.known.get("deleting", _numbers(going))
    return Outcome(
        status=Status.CHANGED,
        summary=f"gone: {gone}; {len(left.links)} left" if gone else "the boot loader is written anew",
        facts={"deleted": gone},
    )


def _judge(before: Profile, left: Profile, going: Sequence[Link]) -> None:
    """Raises: RemoteFailure when something stayed that should be gone, or the guest would boot something else."""
    still = [link.number for link in going if left.find(link.number)]
    if still or left.stale:
        raise RemoteFailure(
            "not every old generation is gone",
            why=f"left in the profile: {still or 'none'}, in the boot loader: {sorted(left.stale) or 'none'}",
            hint="pvenix generations on the host shows them; repeat",
            code="PVX0664",
        )
    if left.boots != before.boots:
        raise RemoteFailure(
            "the boot loader starts another system than before",
            why=f"{left.boots} instead of {before.boots}",
            hint="pvenix rollback to the generation that should boot",
            code="PVX0665",
        )


async def commands(world: World, step: Step) -> Commands:
    """What `apply` would send now."""
    remote = await world.remote(step)
    profile, going = await _look(world, step, remote)
    sent = [*fence.taking(_id(step)), *([deleting(going)] if going else [])]
    sent += [argv.switch_to(profile.boots, "boot"), _giving_back(step)]
    return tuple(("ssh", as_text(command, sudo=True)) for command in sent)


async def _look(world: World, step: Step, remote: Remote) -> tuple[Profile, tuple[Link, ...]]:
    declared = world.host(step).machine.generations
    policy = Policy.of(declared, step.args.get("keep"), step.args.get("older_than"))
    profile = await read_profile(remote)
    return profile, doomed(profile, policy)


async def foreseen(world: World, host: str, *, keep: int | None, older_than: str | None) -> tuple[int, ...]:
    """The generations that a run would delete now."""
    if await without_system(world, host):
        return ()
    policy = Policy.of(world.fleet.host(host).machine.generations, keep, older_than)
    return tuple(link.number for link in doomed(await read_profile(await world.remote(looking_at(host))), policy))


def deleting(going: Sequence[Link]) -> argv.Argv:
    """Delete generations by number; nix-env never deletes the current one, and exits with 0 where nothing matched."""
    return ("nix-env", "-p", argv.PROFILE, "--delete-generations", *(str(link.number) for link in going))


def _half_done(step: Step) -> bool:
    """True when a process died between the deletion and the boot loader; not every loader shows what it offers."""
    return "deleting" in step.known and "loaded" not in step.known


def _numbers(going: Sequence[Link]) -> str:
    return ", ".join(str(link.number) for link in going)


def _id(step: Step) -> str:
    """The same for every process of the run: what a dead one held is still ours."""
    play, number, _ = step.id.split(".")
    return f"{step.run}-{play}.{number}-1"


async def _give_back(remote: Remote) -> None:
    if (await remote.try_read(argv.FENCE_OWNER, sudo=True)).stdout.split() == [_id(remote.step)]:
        await remote.write(_giving_back(remote.step))


def _giving_back(step: Step) -> argv.Argv:
    """The fence away, and what is left of it where a process died while it took it."""
    return ("rm", "-rf", argv.FENCE, f"{argv.FENCE.rpartition('/')[0]}/{_id(step)}")
