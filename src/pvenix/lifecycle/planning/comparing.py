"""Desired, recorded and actual of one VM, with what lies outside of its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pvenix.engine.ports import VmPending
from pvenix.lifecycle import notes
from pvenix.lifecycle.fields import compare, outside, wanted_of
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.fleetplan import Effect, FieldPlan, FieldState
from pvenix.model.host import Host, State

POWER = "power"
"""The key of the field `state`, which is no option."""


async def compared(world: World, host: Host, found: Found, seen: VmPending, *, power: str) -> tuple[FieldPlan, ...]:
    """How each field of the host's VM stands, its power first.

    Raises: UsageError when a key file of the host is missing.
    """
    wanted = wanted_of(world.fleet, host.name)
    recorded = notes.parse(seen.config.values.get("description", "")).applied
    around = await outside.around(world, found, {one.key for one in wanted}, recorded)
    fields = compare(wanted, recorded, seen, running=power == "running", around=around)
    return (_power(world, host, power), *_other_id(world, host, found), *(_at_option(one) for one in fields))


def _other_id(world: World, host: Host, found: Found) -> Iterator[FieldPlan]:
    """The id that the inventory names, where the host's VM has another; no VM is given another id."""
    declared = host.machine.proxmox.vmid
    if declared not in (0, found.vmid):
        yield FieldPlan(
            field="proxmox.vmid",
            key="vmid",
            state=FieldState.CHANGE,
            effect=Effect.RECREATE,
            desired=str(declared),
            actual=str(found.vmid),
            where=world.fleet.place(host.name, "proxmox", "vmid").finding("", "").place,
            note="a VM keeps its id",
        )


def _at_option(one: FieldPlan) -> FieldPlan:
    """A field that the command line gives has no line and no column."""
    return replace(one, where=one.where.rsplit(":", 2)[0]) if one.where.startswith("--") else one


def wanted_power(host: Host) -> str:
    """`running` or `stopped`."""
    return "stopped" if host.machine.state is State.STOPPED else "running"


def _power(world: World, host: Host, power: str) -> FieldPlan:
    """A VM that should run and is off, or the other way round, is somebody's doing: nobody records a VM's power."""
    desired = wanted_power(host)
    same = power in (desired, "unknown")
    return FieldPlan(
        field="state",
        key=POWER,
        state=FieldState.EQUAL if same else FieldState.DRIFT,
        effect=Effect.LIVE if desired == "running" else Effect.OFFLINE,
        desired=desired,
        actual=power,
        where=world.fleet.place(host.name, "state").finding("", "").place if "state" in host.declared else "",
    )
