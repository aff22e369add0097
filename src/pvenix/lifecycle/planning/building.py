"""Builds the plan of a fleet: one picture of the cluster, a read for each VM, and a place for each newcomer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pvenix.engine.ports import Resources
from pvenix.fleet.load import Fleet
from pvenix.lifecycle.planning.hosts import HostPlanner
from pvenix.lifecycle.planning.looking import still_picture
from pvenix.lifecycle.planning.making import awaited, warned
from pvenix.lifecycle.planning.origins import finding, fingerprint
from pvenix.lifecycle.planning.scope import planned_hosts
from pvenix.lifecycle.planning.strays import strays
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.tombstones import entombed, merging
from pvenix.lifecycle.underway import under_way
from pvenix.lifecycle.unfinished import Made
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, Refused
from pvenix.model.fleetplan import Action, FleetPlan, HostPlan
from pvenix.model.plan import ArgValue


async def fleet_plan(
    world: World,
    *,
    pattern: str,
    limit: str,
    commit: str,
    extra: Mapping[str, ArgValue],
    made: Mapping[int, Made] | None = None,
) -> FleetPlan:
    """The plan for the hosts of `pattern` that `limit` does not leave out; nothing outside is changed.

    `made` is what runs of this machine began to make and did not end well with, by VM id.
    Raises: Unreachable when the cluster does not answer, Refused when the token sees nothing, UsageError for a pattern
    that nothing matches.
    """
    hosts = planned_hosts(world.fleet, pattern, limit)
    picture, looker = still_picture(world)
    await _refuse_nothing_seen(picture, await picture.survey.resources())
    planner = HostPlanner(picture, looker)
    async with Together() as group:
        looking = [group.create_task(planner.look(name)) for name in hosts]
    plans = {task.result().host: task.result() for task in looking}
    newcomers = [plan for plan in plans.values() if plan.action is Action.ADD and not plan.vmid]
    plans |= await _settled(picture, planner, newcomers, made or {})
    unclear = {plan.host for plan in plans.values() if plan.action in (Action.REFUSE, Action.UNKNOWN)}
    return FleetPlan(
        fleet=picture.fleet.site.name,
        commit=commit,
        inventory=fingerprint(picture.fleet, hosts),
        made_at=picture.clock.utc(),
        pattern=pattern,
        limit=limit,
        extra=dict(extra),
        hosts=tuple(plans[name] for name in hosts),
        warnings=await _quorum_lost(world),
        strays=() if limit or pattern != "all" else await strays(picture, looker, planner.vmids, unclear),
    )


async def _settled(
    picture: World, planner: HostPlanner, newcomers: Sequence[HostPlan], made: Mapping[int, Made]
) -> dict[str, HostPlan]:
    """The hosts without a VM, each with its place, or with why it gets none now."""
    retired = {plan.host: plan for plan in await _retired(picture, newcomers)}
    left = [plan for plan in newcomers if plan.host not in retired]
    making = await under_way(picture) if left else ()
    waiting = awaited(picture, left, making, made)
    placed = await planner.place([plan for plan in left if plan.host not in waiting])
    return {**retired, **waiting, **{plan.host: warned(picture, plan, making, made) for plan in placed}}


async def _retired(world: World, newcomers: Iterable[HostPlan]) -> list[HostPlan]:
    """Those that were retired while their tombstone is not in this checkout: they are not made again.

    Who cannot ask the repository plans without it: a host that is made would be pushed there too, and fail.
    """
    found: list[HostPlan] = []
    for plan in newcomers:
        try:
            retired = await entombed(world, plan.host, await world.expected())
        except PvenixError:
            return found
        if retired:
            error = PvenixError(
                f"{plan.host} was retired, and this checkout does not say so yet",
                hint=f"{merging(plan.host)} && git pull; to have it made again, delete that branch",
                code="PVX0575",
            )
            note = finding(world.fleet, world.fleet.hosts[plan.host], error, warning=True)
            found.append(replace(plan, action=Action.NONE, findings=(note,)))
    return found


def largest_first(fleet: Fleet, plans: Iterable[HostPlan]) -> list[HostPlan]:
    """The hosts that need most memory first, those that need as much by name: the largest is the hardest to place."""
    return sorted(plans, key=lambda plan: (-fleet.hosts[plan.host].machine.memory_mib, plan.host))


async def _quorum_lost(world: World) -> tuple[str, ...]:
    """A plan is made without quorum too; it only cannot be applied then. Who may not ask is told nothing."""
    try:
        quorum = await world.survey.quorum()
    except Refused:
        return ()
    if quorum.quorate:
        return ()
    return (f"the cluster has no quorum ({quorum.online} of {quorum.nodes} nodes): it takes no change now",)


async def _refuse_nothing_seen(world: World, listed: Resources) -> None:
    """Refuse where every list is empty because the token has no right: no host would be known to lack its VM.

    Raises: Refused.
    """
    if listed.vms:
        return
    granted = await world.survey.permissions()
    if not any("VM.Audit" in rights for rights in granted.values()):
        raise Refused(
            "the API token sees no VM",
            why="it has VM.Audit nowhere, so the lists are empty and say nothing",
            hint="pvenix doctor prints the pveum lines that give it what it lacks",
            code="PVX0565",
        )
