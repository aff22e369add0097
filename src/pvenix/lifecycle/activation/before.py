"""The snapshot before an update, where the inventory asks for one."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import snapshot, snapshots
from pvenix.lifecycle.freezing import refuse_freeze
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.selfguard import is_self
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from pvenix.model.update import SecondNet


async def keep(world: World, step: Step) -> None:
    """Take a snapshot named by run and step, and let go of what `snapshot.keep` does not keep.

    Where none can be taken, as on a storage without snapshots, the update goes on and says so; unless `update.second_net`
    relies on it.
    Raises: Refused when it relies on it, OutcomeUnknown when nobody knows what came of it: the guest may be frozen.
    """
    if not _wanted(world, step):
        return
    try:
        found = await _possible(world, step)
        name = await snapshot.take(world, step, found)
    except (RemoteFailure, Refused, Unreachable) as error:
        if SecondNet.SNAPSHOT in world.host(step).machine.update.second_net:
            raise Refused(
                f"{step.host} is not updated: no snapshot of it could be taken",
                why=str(error),
                hint="update.second_net relies on one; take `snapshot` out of it to update without",
                evidence=error.evidence,
                code="PVX0624",
            ) from error
        step.tell(f"no snapshot before the update: {error}; going on without")
        return
    step.evidence(update_snapshot=name)
    step.tell(f"snapshot {name} of VM {found.vmid} is kept")
    await snapshots.prune(world, step, found)


async def commands(world: World, step: Step) -> Commands:
    """The calls of `keep`; none where it is known that none would be made."""
    if not _wanted(world, step):
        return ()
    try:
        await _possible(world, step)
        return await snapshot.commands(world, step)
    except (RemoteFailure, Refused, Unreachable) as error:
        step.tell(f"no snapshot before the update: {error}")
        return ()


def _wanted(world: World, step: Step) -> bool:
    """False for the host that runs pvenix: frozen, it could not thaw itself."""
    return world.host(step).machine.snapshot.before_update and not is_self(world, step.host)


async def _possible(world: World, step: Step) -> Found:
    """The host's VM. Raises: RemoteFailure when it has none, Refused when it may not be frozen."""
    found = await world.vms.of(step)
    await refuse_freeze(world, step, found, backup=False)
    return found
