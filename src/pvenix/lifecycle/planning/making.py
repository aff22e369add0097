"""What a plan says of hosts whose VM may be in the making."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pvenix.lifecycle.planning.origins import finding
from pvenix.lifecycle.underway import BEING_MADE, UnderWay, may_be_of
from pvenix.lifecycle.unfinished import Made
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError
from pvenix.model.fleetplan import Action, HostPlan


def awaited(
    world: World, newcomers: Iterable[HostPlan], making: Sequence[UnderWay], made: Mapping[int, Made]
) -> dict[str, HostPlan]:
    """The plans of those newcomers whose VM is being made: of its id by the inventory, or by a run of this machine."""
    found: dict[str, HostPlan] = {}
    for plan in newcomers:
        host = world.fleet.hosts[plan.host]
        for one in making:
            begun = made.get(one.vmid)
            mine = begun is not None and begun.host == host.name
            if not mine and one.vmid != host.machine.proxmox.vmid:
                continue
            error = one.unclear(host.name)
            if mine and begun is not None:
                error.hint = f"pvenix resume {begun.run} goes on with it; or {error.hint}"
            shown = (finding(world.fleet, host, error),)
            found[plan.host] = HostPlan(
                host=plan.host, action=Action.UNKNOWN, findings=shown, exit_code=int(error.exit_code)
            )
    return found


def warned(world: World, plan: HostPlan, making: Sequence[UnderWay], made: Mapping[int, Made]) -> HostPlan:
    """The plan of a newcomer, with what is being made and may turn out to be its VM."""
    host = world.fleet.hosts[plan.host]
    if plan.action is not Action.ADD or host.machine.proxmox.vmid:
        return plan
    notes = tuple(
        finding(
            world.fleet,
            host,
            PvenixError(
                f"{one.shown}; whose it is shows at its end",
                hint=f"an apply waits for that, and makes no second VM for {host.name}",
                code=BEING_MADE,
            ),
            warning=True,
        )
        for one in making
        if one.vmid not in made and may_be_of(one, host, world)
    )
    return replace(plan, findings=(*plan.findings, *notes))
