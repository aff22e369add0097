"""Delete a snapshot of a host's VM: ours, or somebody else's when that is said."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import snapshots
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, UsageError
from pvenix.model.outcome import Outcome, Probe, Status, done, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when an earlier attempt of this very step has deleted it."""
    name = str(step.args["name"])
    if step.args.get("confirm") != step.host:
        raise UsageError(
            f"deleting a snapshot of {step.host} cannot be undone",
            hint=f"type its name: pvenix delete-snapshot {step.host} --name {name} --confirm {step.host}",
        )
    found = await world.vms.of(step)
    listed = await world.pve.snapshots(found.node, found.vmid)
    if "snapshot" in step.known and all(each.name != name for each in listed):
        return done(f"snapshot {name} is gone")
    snapshot = await snapshots.named(world, found, name)
    if not snapshots.is_ours(world, step.host, snapshot) and not step.args.get("theirs"):
        raise Refused(
            f"snapshot {name} of {step.host} was not made by pvenix",
            why=f"its description is {snapshot.description.partition(chr(10))[0]!r}",
            hint=f"if it is to go all the same: pvenix delete-snapshot {step.host} --name {name} --theirs",
            code="PVX0916",
        )
    return needed(f"snapshot {name} of VM {found.vmid} will be deleted")


async def apply(world: World, step: Step) -> Outcome:
    """Delete it, and see that it is gone."""
    name, found = str(step.args["name"]), await world.vms.of(step)
    await step.intend(snapshot=name, vmid=str(found.vmid), node=found.node)
    await snapshots.delete(world, step, found, name)
    return Outcome(status=Status.CHANGED, summary=f"snapshot {name} of VM {found.vmid} is gone")


async def commands(world: World, step: Step) -> Commands:
    """The one call."""
    return shown([VmCalls.on(world.pve, await world.vms.of(step), {}).delete_snapshot(str(step.args["name"]))])
