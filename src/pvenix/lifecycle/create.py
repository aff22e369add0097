"""Make an empty VM that installs itself from an ISO image. Never twice, and never with the id of somebody else's VM."""

from __future__ import annotations

import contextlib

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import place
from pvenix.lifecycle.calls import Call, create_call, download_call, shown
from pvenix.lifecycle.emptyvm import empty_vm
from pvenix.lifecycle.making import LOST_PATIENCE_S, TASK_TIMEOUT_S, TRIES, after_taken, found_or_made, made
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.settling import set_up
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.waiting import task_end
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure, UsageError
from pvenix.model.host import Install, Iso
from pvenix.model.names import NodeName, Vmid, node_name, vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip

_PAUSE_S = 0.5


async def probe(world: World, step: Step) -> Probe:
    """Done when the host's VM exists unlocked; skipped for a host that is cloned."""
    if world.host(step).machine.install is not Install.ISO:
        return skip(f"{step.host} does not install from an ISO image")
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM")
    if found.config.values.get("lock") == "create":
        return needed(f"VM {found.vmid} is still being made", **found.facts)
    return done(f"VM {found.vmid} on {found.node}", **found.facts)


async def apply(world: World, step: Step) -> Outcome:
    """Fetch the image if it is to be fetched, make the VM unless an earlier attempt did, and read it back."""
    found = await set_up(world, step, await found_or_made(world, step, _make))
    summary = f"VM {found.vmid} on {found.node}, which boots from {_iso(world, step).wanted}"
    return Outcome(status=Status.CHANGED, summary=summary, facts=found.facts)


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    if await world.vms.find(step.host, step.facts) is not None:
        return ()
    await _decide(world, step)
    node = node_name(step.facts["node"])
    there = await _is_there(world, node, _iso(world, step))
    fetching = () if there else (_fetching(world, node, _iso(world, step)),)
    return shown((*fetching, _making(world, step)))


async def _decide(world: World, step: Step) -> None:
    if not {"node", "vmid", "storage", "route"} <= step.facts.keys():
        step.facts |= (await place.apply(world, step)).facts


async def _make(world: World, step: Step) -> Found:
    for _ in range(TRIES):
        await _decide(world, step)
        node, new = node_name(step.facts["node"]), vmid(step.facts["vmid"])
        await _fetch(world, step, node)
        try:
            return await _create(world, step, node, new)
        except RemoteFailure as error:
            if ours := await after_taken(world, step, new, (node, node), error):
                return ours
    raise RemoteFailure(f"no VM for {step.host} after {TRIES} tries", why="ids were taken", code="PVX0522")


async def _create(world: World, step: Step, node: NodeName, new: Vmid) -> Found:
    await step.intend(**{key: step.facts[key] for key in ("node", "vmid", "storage", "route")})
    use = Use(node=node, storage=step.facts["storage"])
    return await made(world, step, _making(world, step), new, (node, node), use=use)


def _making(world: World, step: Step) -> Call[str]:
    storage, image = step.facts["storage"], _iso(world, step).wanted
    values = empty_vm(world.fleet, world.host(step), image=image, storage=storage, run=step.run)
    return create_call(world.pve, node_name(step.facts["node"]), vmid(step.facts["vmid"]), values)


# --- the image -------------------------------------------------------------------------------------------------------


def _iso(world: World, step: Step) -> Iso:
    iso = world.host(step).machine.iso
    if iso is None:
        raise UsageError(
            f"{step.host} has no image to install from", hint="add machine.iso: {volume: local:iso/NAME.iso}"
        )
    return iso


async def _fetch(world: World, step: Step, node: NodeName) -> None:
    """Let the node download the image unless it has it; nothing is sent through this machine (F38).

    Proxmox downloads to a file of another name and renames it once its checksum was right, so what is listed is whole.
    Raises: RemoteFailure when there is no such image, or the download fails; OutcomeUnknown.
    """
    iso = _iso(world, step)
    if "image" in step.known and "upid" in step.known:
        step.tell("an earlier process started a download; waiting for its end")
        with contextlib.suppress(RemoteFailure, OutcomeUnknown):  # whether the image is listed tells what came of it
            await task_end(world, step, step.known["upid"], timeout_s=TASK_TIMEOUT_S)
    async with world.ledger.image(f"{node} {iso.wanted}"):
        if await _is_there(world, node, iso):
            return
        fetching = _fetching(world, node, iso)
        await step.intend(image=iso.wanted)
        try:
            await carried_out(world, step, fetching, Use(node=node), timeout_s=TASK_TIMEOUT_S)
        except OutcomeUnknown:
            if not await _comes(world, node, iso):
                raise


def _fetching(world: World, node: NodeName, iso: Iso) -> Call[str]:
    """The download.

    Raises: RemoteFailure when the inventory does not say where from.
    """
    if not iso.url:
        raise RemoteFailure(
            f"{node} has no image {iso.volume}",
            hint="put it there, or let it be fetched: iso: {url: …, sha256: …, storage: …}",
            code="PVX0529",
        )
    storage, _, path = iso.wanted.partition(":")
    return download_call(world.pve, node, storage, iso.url, filename=path.rpartition("/")[2], sha256=iso.sha256)


async def _is_there(world: World, node: NodeName, iso: Iso) -> bool:
    storage = iso.wanted.partition(":")[0]
    return any(volume.id == iso.wanted for volume in await world.pve.volumes(node, storage, content="iso"))


async def _comes(world: World, node: NodeName, iso: Iso) -> bool:
    """True when the image is listed within the time that a lost request may take."""
    until_s = world.clock.monotonic() + LOST_PATIENCE_S
    while not await _is_there(world, node, iso):
        if world.clock.monotonic() >= until_s:
            return False
        await world.clock.sleep(_PAUSE_S)
    return True
