"""Activate what a host ran before: a generation by its number, or what a run found there; with a rebuild's net under it."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv, rebooting
from pvenix.lifecycle.activation import preview, prune, secondnet, staging
from pvenix.lifecycle.activation.attempt import Attempt, foreseen, silent, unfinished
from pvenix.lifecycle.activation.transaction import activate
from pvenix.lifecycle.approval import Change, gate
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.generations import Profile, read_profile
from pvenix.lifecycle.goingback import generation_of, limits_of, require_kept, shown
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, Unreachable, UsageError
from pvenix.model.generation import NOT_UNDONE
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Outcome, Probe, done, needed, skip


async def probe(world: World, step: Step) -> Probe:
    """Done when the system runs and is the boot default.

    Raises: UsageError when the host has no such generation, Refused when what a run found is gone, LockHeld when
    another run's attempt is open.
    """
    if not step.args.get("to") and "back_skip" in step.facts:
        return skip(step.facts["back_skip"])
    try:
        remote = await world.remote(step)
    except (Unreachable, Refused) as error:
        return silent(step, error)
    profile = await read_profile(remote)
    number, target = _aim(step, profile)
    await require_kept(remote, number, target)
    facts = await read_facts(remote)
    found = {"target": target, "generation": str(number), "left": str(profile.current)}
    current = number in (0, profile.current)
    if step.args.get("boot"):
        if current and target == facts.profile == (facts.starts or target):
            return unfinished(step, done(f"boots {shown(number, target)} next time", **found), facts)
        return needed(f"to boot {shown(number, target)} next time", **found)
    if current and facts.current == target and facts.settled:
        return unfinished(step, done(f"runs {shown(number, target)}", **found), facts)
    return needed(f"to {shown(number, target)}", **found)


def _aim(step: Step, profile: Profile) -> tuple[int, str]:
    """The generation, 0 when it is none any more, and its system."""
    number = step.args.get("to")
    if isinstance(number, int) and not isinstance(number, bool) and number >= 1:
        return number, _as_shown(step, number, profile.named(number).path)
    if "back_to" in step.facts:
        target = step.facts["back_to"]
        return generation_of(profile, target), target
    if step.facts.get("back_number", "").isdigit():
        number = int(step.facts["back_number"])
        return number, profile.named(number).path
    raise UsageError(
        "rollback needs the number of a generation, or a run",
        hint=f"pvenix rollback {step.host} --to N (or -e to=N), pvenix rollback {step.host} --before RUN; "
        f"pvenix generations {step.host}",
    )


def _as_shown(step: Step, number: int, path: str) -> str:
    """The system, which is the one that was shown when the run was confirmed, if one was.

    Raises: Refused when the number was given to another one meanwhile.
    """
    shown_path = step.facts.get("back_to", path)
    if shown_path == path:
        return path
    raise Refused(
        f"generation {number} of {step.host} is another system than the one that was shown",
        why=f"it is {short_store_path(path)}, and was {short_store_path(shown_path)}",
        hint=f"pvenix generations {step.host}, then choose anew",
        code="PVX0671",
    )


async def apply(world: World, step: Step) -> Outcome:
    """Activate it and make it the profile's current one; files outside the store stay as they are.

    The roles' health checks describe the system of the main branch, which an earlier one need not satisfy: it is asked
    for by name, so contact and failed units decide.
    """
    begun = Attempt.from_known(step.known) is not None
    only_boots = staging.is_staging(step) if begun else bool(step.args.get("boot"))
    if not begun:
        if (waits := await _gate(world, step, only_boots=only_boots)) is not None:
            return waits
        await _tell_limits(world, step)

    async def make_default(remote: Remote) -> None:
        for command in _defaulting(step):
            await remote.write(command, timeout_s=300)

    if only_boots:
        return await staging.stage(world, step, step.facts["target"], make_default, "as asked")
    return await activate(world, step, step.facts["target"], make_default, checks=())


async def _gate(world: World, step: Step, *, only_boots: bool) -> Outcome | None:
    """As `rebooting.activating`; what is only booted later touches no unit now."""
    target = step.facts["target"]
    if only_boots:
        return gate(world, step, Change(subject=target))
    return await rebooting.activating(world, await world.remote(step), target)


async def _tell_limits(world: World, step: Step) -> None:
    remote = await world.remote(step)
    for line in (NOT_UNDONE[0], *await limits_of(remote, await read_profile(remote), step.facts["target"])):
        step.tell(line)


async def commands(world: World, step: Step) -> Commands:
    """The commands that `apply` would send."""
    target = step.facts["target"]
    running, profile = (await (await world.remote(step)).read(argv.SYSTEMS)).splitlines()[1:]
    confirm_s = world.host(step).machine.update.confirm_timeout_s
    attempt = foreseen(step, new=target, old=running, profile=profile, confirm_s=confirm_s)
    left = await prune.found(world, await world.remote(step), newest=attempt.id)
    if step.args.get("boot"):
        return preview.staging(attempt, _defaulting(step), left)
    secondnet.foretell(world, step)
    return preview.activation(attempt, (), _defaulting(step), left)


def _defaulting(step: Step) -> tuple[argv.Argv, argv.Argv]:
    """A system that is no generation any more becomes one again."""
    number, target = int(step.facts.get("generation", 0)), step.facts["target"]
    return argv.switch_generation(number) if number else argv.set_profile(target), argv.switch_to(target, "boot")
