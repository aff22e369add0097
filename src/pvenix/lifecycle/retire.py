"""Destroy a host's VM, and propose its tombstone in the inventory."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import destroy, gitkeys
from pvenix.lifecycle.calls import shown
from pvenix.lifecycle.tombstones import branch_of, entombed, entombing, merging
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe, Status, done, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when there is no VM and the inventory, or a branch, says that the host is absent."""
    found = await destroy.look(world, step)
    if found is not None:
        return needed(f"VM {found.vmid} on {found.node} will be destroyed", vmid=str(found.vmid), node=found.node)
    if "volumes" in step.known:
        return needed("an interrupted attempt may not have seen its volumes go")
    return (
        done("no VM, and the tombstone is proposed")
        if await entombed(world, step.host, await world.repo.fetch())
        else needed("no tombstone yet")
    )


async def apply(world: World, step: Step) -> Outcome:
    """Destroy the VM, forget its key, push the tombstone."""
    found = await destroy.present(world, step)
    if found is not None:
        await destroy.demolish(world, step, found)
    elif "uuid" not in step.known:  # another run destroyed it
        await step.intend(branch=branch_of(step.host))
    destroy.forget(world, step.host)
    summary, evidence = await destroy.told(world, step, found)
    if left := await gitkeys.shut_out(world, step):
        summary += f"; its Git key still opens the repository ({left})"
    commit = (
        ""
        if await entombed(world, step.host, await world.repo.fetch())
        else await (await entombing(world, step)).send(step)
    )
    step.tell(f"next: {merging(step.host)}, and in your checkout of the fleet git pull")
    return Outcome(
        status=Status.CHANGED,
        summary=f"{summary}; tombstone on {branch_of(step.host)}",
        evidence=evidence,
        facts={"commit": commit} if commit else {},
    )


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await destroy.present(world, step)
    removal = await destroy.demolition(world, step, found) if found is not None else ()
    removal = (*removal, *await gitkeys.shut_out_commands(world, step))
    return (
        removal
        if await entombed(world, step.host, await world.repo.fetch())
        else (*removal, *shown([await entombing(world, step)]))
    )
