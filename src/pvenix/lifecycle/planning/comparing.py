"""Desired, recorded and actual of one VM, with what lies outside of its configuration."""

from __future__ import annotations

from pvenix.engine.ports import VmPending
from pvenix.lifecycle import notes
from pvenix.lifecycle.fields import compare, wanted_of
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused
from pvenix.model.fleetplan import Effect, FieldPlan, FieldState
from pvenix.model.host import Host, State

POWER = "power"
"""The key of the field `state`, which is no option."""


async def compared(world: World, host: Host, found: Found, seen: VmPending, *, power: str) -> tuple[FieldPlan, ...]:
    """How each field of the host's VM stands, its power first.

    Raises: UsageError when a key file of the host is missing.
    """
    wanted = wanted_of(world.fleet, host.name, seen.config)
    recorded = notes.parse(seen.config.values.get("description", "")).applied
    around = await _around(world, found, {one.key for one in wanted})
    return (_power(host, power), *compare(wanted, recorded, seen, running=power == "running", around=around))


async def _around(world: World, found: Found, keys: set[str]) -> dict[str, str]:
    """What is not in the configuration, by key; what the token may not see is left out."""
    around = {"node": str(found.node)}
    pool = next((vm.pool for vm in await world.survey.vms() if vm.vmid == found.vmid), "")
    if "pool" in keys and (pool or await world.survey.pools()):
        around["pool"] = pool
    if "backup" in keys:
        try:
            jobs = await world.survey.backup_jobs()
        except Refused:
            return around
        around["backup"] = ",".join(job.id for job in jobs if job.covers(found.vmid, pool))
    return around


def _power(host: Host, power: str) -> FieldPlan:
    """A VM that should run and is off, or the other way round, is somebody's doing: nobody records a VM's power."""
    desired = "stopped" if host.machine.state is State.STOPPED else "running"
    same = power in (desired, "unknown")
    return FieldPlan(
        field="state",
        key=POWER,
        state=FieldState.EQUAL if same else FieldState.DRIFT,
        effect=Effect.LIVE if desired == "running" else Effect.OFFLINE,
        desired=desired,
        actual=power,
    )
