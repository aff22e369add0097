"""Clone the template into the host's VM, mark it as ours and give it its size. Never adopts a stranger's VM."""

from __future__ import annotations

import random
import re

from pvenix.engine.ports import VmConfig
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import place
from pvenix.lifecycle.arriving import Journey, arrived
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.making import DECIDED, TRIES, after_taken, forget_decision, found_or_made, made
from pvenix.lifecycle.ownership import Found, is_tagged
from pvenix.lifecycle.place import CHOSEN_HERE
from pvenix.lifecycle.placement import Way
from pvenix.lifecycle.settling import ROOT_DISK, config_of, present_gib, set_up, settling, wanted_gib
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.host import Install
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip

_BUSY = re.compile(r"got lock request timeout|got lock timeout|can't lock file '[^']*(?:pve-storage|storage-)[^']*'")
"""PVE::Cluster cfs_lock and PVE::Storage cluster_lock_storage, as a clone's task repeats them."""
_BUSY_PAUSE_S = (2.0, 8.0)


async def probe(world: World, step: Step) -> Probe:
    """Done when the host's VM exists unlocked on its node, with our tag and the disk that the inventory wants."""
    host = world.host(step)
    if host.machine.install is Install.ISO:
        return skip(f"{step.host} installs from an ISO image")
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM")
    if not world.vms.owns(found.config, step.host):
        return done(f"VM {found.vmid} on {found.node} was not made by pvenix; its settings stay", **found.facts)
    journey = _journey(step)
    if journey is not None and journey.ends_elsewhere(found):
        return needed(f"VM {found.vmid} has to move from {found.node} to {journey.node}")
    if found.config.values.get("lock") == "clone":
        return needed(f"VM {found.vmid} is still being cloned", vmid=str(found.vmid))
    grown = not 0 < present_gib(found.config) < wanted_gib(host)
    if grown and is_tagged(found.config):
        return done(f"VM {found.vmid} on {found.node}", **found.facts)
    return needed(f"VM {found.vmid} is not set up yet", **found.facts)


async def apply(world: World, step: Step) -> Outcome:
    """Clone unless an earlier attempt did, move the clone if its way is such, then set what the host wants."""
    found = await found_or_made(world, step, _clone)
    found = await set_up(world, step, await arrived(world, step, _journey(step), found))
    return Outcome(status=Status.CHANGED, summary=f"VM {found.vmid} on {found.node}", facts=found.facts)


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await world.vms.find(step.host, step.facts)
    journey = _journey(step)
    if found is None:
        journey = await _decided(world, step)
        inherited = await _inherited(world, journey)
        new = VmCalls(world.pve, journey.node, journey.vmid)
        moving = (journey.moving(world),) if journey.way is Way.MIGRATE else ()
        return shown((journey.cloning(world, step), *moving, *settling(world, step, new, inherited)))
    moving = (journey.moving(world),) if journey is not None and journey.ends_elsewhere(found) else ()
    return shown((*moving, *settling(world, step, VmCalls.on(world.pve, found, {}), found.config)))


def _journey(step: Step) -> Journey | None:
    """The way that was decided: as this step set out on it, if it did, in this process or in one that died."""
    known = {key: step.known[key] for key in DECIDED if key in step.known}
    return Journey.of(known) or Journey.of({**known, **step.facts})


async def _decided(world: World, step: Step) -> Journey:
    """The way that was decided, or is decided now.

    Raises: as placing does.
    """
    copying = bool(step.args.get("full", False))
    journey = _journey(step)
    if journey is not None and CHOSEN_HERE in step.facts and not await _leads_on(world, journey):
        step.tell(f"template {journey.template} is no longer on {journey.source}; choosing the way anew")
        forget_decision(step)
        journey = None
    if journey is not None and not (copying and journey.way is Way.LINKED):
        return journey
    if copying:
        step.facts.pop("route", None)
        step.facts.pop("storage", None)
    for key in DECIDED:
        step.known.pop(key, None)  # what it set out on before is not gone on with
    step.facts |= (await place.apply(world, step)).facts
    journey = _journey(step)
    if journey is None:
        raise RemoteFailure(f"{step.host} got a VM meanwhile", hint="look again", code="PVX0528")
    return journey


async def _leads_on(world: World, journey: Journey) -> bool:
    """True when the template is where the way begins; Proxmox' lists lag, so its configuration is asked for."""
    return await world.pve.config(journey.source, journey.template) is not None


async def _clone(world: World, step: Step) -> Found:
    for attempt in range(1, TRIES + 1):
        journey = await _decided(world, step)
        try:
            return await _clone_as(world, step, journey)
        except RemoteFailure as error:
            if _BUSY.search(error.why) and await _absent(world, journey):
                await _pause(world, step, attempt, error.why)
                continue
            if ours := await after_taken(world, step, journey.vmid, (journey.node, journey.source), error):
                return ours
    raise RemoteFailure(
        f"no clone for {step.host} after {TRIES} tries", why="ids were taken or the storage was busy", code="PVX0522"
    )


async def _absent(world: World, journey: Journey) -> bool:
    """True when no VM has the id, so that another attempt makes no second one."""
    nodes = dict.fromkeys((journey.node, journey.source))
    return all([await world.pve.config(node, journey.vmid) is None for node in nodes])


async def _pause(world: World, step: Step, attempt: int, why: str) -> None:
    """Let other clones of the template finish; each host waits for a time of its own."""
    seconds = attempt * random.Random(f"{step.run} {step.host} {attempt}").uniform(*_BUSY_PAUSE_S)
    step.tell(f"the storage is busy ({why}); trying again in {seconds:.0f} s")
    await world.clock.sleep(seconds)


async def _clone_as(world: World, step: Step, journey: Journey) -> Found:
    await step.intend(**journey.facts)
    use = Use(node=journey.source, storage=journey.storage)
    places = journey.landing, journey.source
    return await made(world, step, journey.cloning(world, step), journey.vmid, places, use=use)


async def _inherited(world: World, journey: Journey) -> VmConfig:
    """The root disk that a clone of the template begins with."""
    config = await config_of(world, journey.source, journey.template)
    return VmConfig(values={ROOT_DISK: config.values.get(ROOT_DISK, "")}, digest="")
