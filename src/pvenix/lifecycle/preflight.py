"""Look whether a host can be built and activated at all, before anything is built on any."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import build
from pvenix.lifecycle.activation import preflight
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Need, Outcome, Probe, Status, done


async def probe(world: World, step: Step) -> Probe:
    """Done when nothing is in the way; a host that has nothing to be built is not asked further.

    Raises: Unreachable, RemoteFailure or LockHeld with what is in the way.
    """
    found, _ = await build.look(world, step)
    if found.need is not Need.NEEDED:
        return found
    items = await preflight.require(world, await world.remote(step))
    return done(preflight.row(items), **found.facts)


async def apply(world: World, step: Step) -> Outcome:
    """The same look: there is nothing to apply."""
    found = await probe(world, step)
    return Outcome(status=Status.OK, summary=found.reason, facts=found.facts)


async def commands(_world: World, _step: Step) -> Commands:
    """It sends nothing that changes anything."""
    return ()
