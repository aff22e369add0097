"""VMs with this fleet's marker that are no host's: shown in a plan, and never changed by one."""

from __future__ import annotations

from collections.abc import Collection

from pvenix.engine.ports import VmState
from pvenix.lifecycle.notes import parse
from pvenix.lifecycle.ownership import MARKER_TAG
from pvenix.lifecycle.planning.looking import Looker
from pvenix.lifecycle.planning.scope import PLANNED
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError
from pvenix.model.fleetplan import Stray


async def strays(world: World, looker: Looker, known: Collection[int], unclear: Collection[str]) -> tuple[Stray, ...]:
    """The marked VMs that are none of `known`; those that cannot be read now are left out.

    So are those of hosts in `unclear`, of which it is not known which VM is theirs: a finding says so. Tags only say where to look: a clone inherits its template's, so the notes decide.
    """
    vms = [
        vm
        for vm in await world.survey.vms()
        if MARKER_TAG in vm.tags and not vm.template and vm.vmid not in known and vm.lock != "clone"
    ]
    async with Together() as group:
        reading = [group.create_task(_stray(world, looker, vm)) for vm in vms]
    found = (task.result() for task in reading)
    return tuple(stray for stray in found if stray is not None and stray.host not in unclear)


async def _stray(world: World, looker: Looker, vm: VmState) -> Stray | None:
    try:
        config = await looker.config(vm.node, vm.vmid)
    except PvenixError:
        return None
    notes = parse(config.values.get("description", "") if config is not None else "")
    if not notes.host or notes.fleet not in ("", world.fleet.site.name):
        return None
    host, listed = notes.host, world.fleet.hosts.get(notes.host)
    if listed is not None and listed.machine.state not in PLANNED:
        return None  # an archived machine keeps its VM
    why = f"the inventory has no {host}" if listed is None else f"it is not the VM that is taken for {host}"
    return Stray(vmid=int(vm.vmid), node=vm.node, host=host, power=vm.status, why=why)
