"""Choose node, storage, VM id and the way to the VM: the same answer for the same site, with the reason."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.placement import decide
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

CHOSEN_HERE = "chosen"
"""The fact that this run chose, and no plan that a person looked at: another VM id may be taken when that one is gone."""


async def probe(world: World, step: Step) -> Probe:
    """Done when the host's VM exists."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM")
    return done(f"VM {found.vmid} on {found.node}", node=found.node, vmid=str(found.vmid))


async def apply(world: World, step: Step) -> Outcome:
    """Decide, and reserve the decision for this run; what a plan decided is kept or refused."""
    host = world.host(step)
    decision = await decide(world, host, decided=step.facts, full=bool(step.args.get("full", False)))
    for warning in decision.warnings:
        step.tell(f"warning: {warning}")
    chosen = {} if {"node", "vmid"} <= step.facts.keys() else {CHOSEN_HERE: step.run}
    return Outcome(
        status=Status.OK,
        summary=f"{decision.node}, storage {decision.storage}, VM id {decision.vmid}, {decision.route.words}",
        evidence=(*decision.warnings, *decision.explained),
        facts={**decision.facts, **chosen},
    )


async def commands(_world: World, _step: Step) -> Commands:
    """Nothing: placing only reads."""
    return ()
