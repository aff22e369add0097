"""Build the main branch's system and activate it by the transaction."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv, build
from pvenix.lifecycle.activation import preview
from pvenix.lifecycle.activation.attempt import Attempt, foreseen, unfinished
from pvenix.lifecycle.activation.transaction import MakeDefault, activate
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe, Status

_NEW, _OLD = "<new system>", "<present system>"


async def probe(world: World, step: Step) -> Probe:
    """As for `build`: done when the guest runs, boots and holds the main branch's commit, and no attempt is open.

    Raises: LockHeld when another run's is.
    """
    return unfinished(step, *await build.look(world, step))


async def apply(world: World, step: Step) -> Outcome:
    """Build unless this run has, activate, confirm, make it the boot default; or be back on the old system."""
    commit = await world.expected()
    checks = world.fleet.health(step.host)
    if Attempt.from_known(step.known) is not None:
        return await activate(world, step, step.known["new"], _make_default(step.known["new"]), checks=checks)
    remote = await world.remote(step)
    new = step.facts.get("new", "") if step.facts.get("built") == commit else ""
    if not new:
        await step.intend(commit=commit)
        new = await build.build_on(world, remote, commit, attempt=step.run)
    facts = await read_facts(remote)
    if facts.current == new and facts.settled and not facts.fence:
        await build.deliver(world, remote, commit, attempt=step.run)
        return Outcome(status=Status.CHANGED, summary=f"{commit[:10]} is the running system; /etc/nixos put right")
    return await activate(world, step, new, _make_default(new), checks=checks)


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
    return (*building, *preview.activation(attempt, world.fleet.health(step.host), _defaulting(_NEW)))
