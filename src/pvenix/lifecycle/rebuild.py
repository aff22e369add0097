"""Build the main branch's system and activate it by the transaction."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv, build, rebooting
from pvenix.lifecycle.activation import before, preview, prune, secondnet, staging
from pvenix.lifecycle.activation.attempt import Attempt, foreseen, silent, unfinished
from pvenix.lifecycle.activation.confirming import MakeDefault
from pvenix.lifecycle.activation.transaction import activate
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, Unreachable
from pvenix.model.outcome import Outcome, Probe, Status
from pvenix.model.update import Strategy

_NEW, _OLD = "<new system>", "<present system>"


async def probe(world: World, step: Step) -> Probe:
    """As for `build`: done when the guest runs, boots and holds the main branch's commit, and nothing is left open.

    Raises: LockHeld when another run's attempt is.
    """
    try:
        found, facts = await build.look(world, step)
    except (Unreachable, Refused) as error:
        return silent(step, error)
    return rebooting.unfinished(step, unfinished(step, found, facts), facts)


async def apply(world: World, step: Step) -> Outcome:
    """Build unless this run has, activate, confirm, make it the boot default; or be back on the old system.

    What is risky waits for a person, or for its hour, between the build and the activation.
    """
    commit = await world.expected()
    if Attempt.from_known(step.known) is not None:
        return await rebooting.after(world, step, await _bring(world, step, step.known["new"]))
    remote = await world.remote(step)
    if rebooting.owed(step, await read_facts(remote)):
        return await rebooting.through(world, step, Outcome(status=Status.CHANGED, summary="confirmed before"))
    new = step.facts.get("new", "") if step.facts.get("built") == commit else ""
    if not new:
        await step.intend(commit=commit)
        new = await build.build_on(world, remote, commit, attempt=step.run)
    facts = await read_facts(remote)
    if facts.current == new and facts.settled and not facts.fence:
        await build.deliver(world, remote, commit, attempt=step.run)
        return Outcome(status=Status.CHANGED, summary=f"{commit[:10]} is the running system; /etc/nixos put right")
    if (waits := await rebooting.before(world, remote, new, commit)) is not None:
        return waits
    return await rebooting.after(world, step, await _bring(world, step, new))


async def _bring(world: World, step: Step, new: str) -> Outcome:
    """Activate the system, or only make it the boot default where that is the strategy; as an open attempt began it."""
    begun = Attempt.from_known(step.known) is not None
    if staging.is_staging(step) if begun else world.host(step).machine.update.strategy is Strategy.BOOT:
        return await staging.stage(world, step, new, _make_default(new))
    if not begun:
        await before.keep(world, step)
    return await activate(world, step, new, _make_default(new), checks=world.fleet.health(step.host))


def _make_default(new: str) -> MakeDefault:
    async def make_default(remote: Remote) -> None:
        for command in _defaulting(new):
            await remote.write(command, timeout_s=300)

    return make_default


def _defaulting(new: str) -> tuple[argv.Argv, argv.Argv]:
    return argv.set_profile(new), argv.switch_to(new, "boot")


async def commands(world: World, step: Step) -> Commands:
    """The commands that `apply` would send, in order; paths that only the build tells are in angle brackets."""
    old = step.facts.get("old", _OLD)
    attempt = foreseen(
        step,
        new=_NEW,
        old=old,
        profile=step.facts.get("profile", old),
        confirm_s=world.host(step).machine.update.confirm_timeout_s,
    )
    building = () if step.facts.get("built") else await build.commands(world, step)
    left = await prune.found(world, await world.remote(step), newest=attempt.id)
    if world.host(step).machine.update.strategy is Strategy.BOOT:
        return (*building, *preview.staging(attempt, _defaulting(_NEW), left))
    secondnet.foretell(world, step)
    kept = await before.commands(world, step)
    return (*building, *kept, *preview.activation(attempt, world.fleet.health(step.host), _defaulting(_NEW), left))
