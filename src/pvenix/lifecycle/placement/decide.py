"""Decides where a host goes, and promises it that place for the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvenix.lifecycle.placement.look import View, look
from pvenix.lifecycle.placement.scores import freedom, rank, survives
from pvenix.lifecycle.placement.templates import ROOT_DISK, disks_in
from pvenix.lifecycle.placement.values import GIB, Candidate, Decision, Route, Way, Wish, needs
from pvenix.lifecycle.placement.vmids import choose_vmid, orphans_on
from pvenix.lifecycle.placement.wishes import wish_of
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, RemoteFailure, Unreachable
from pvenix.model.host import Host
from pvenix.model.names import Vmid


class NoNode(RemoteFailure):
    """No node can take a host; `candidates` hold each node's reason."""

    code = "PVX0520"

    def __init__(self, host: str, candidates: Sequence[Candidate]) -> None:
        why = "; ".join(f"{one.node}: {one.refused}" for one in candidates) or "the API token sees no node"
        hint = f"pvenix inventory explain {host} shows where what it asks for is written"
        super().__init__(f"no node can take {host}", why=why, hint=hint)
        self.candidates = tuple(candidates)


def candidates_of(found: Decision | PvenixError) -> Sequence[Candidate]:
    """The nodes that were looked at; an error that is not about nodes has none."""
    return found.candidates if isinstance(found, Decision | NoNode) else ()


async def decide(world: World, host: Host, *, decided: Mapping[str, str] | None = None, full: bool = False) -> Decision:
    """Where `host` goes; the ledger of the run keeps the place for it.

    `decided` is what a plan or an earlier step decided: it is kept, or refused when it no longer holds.
    Raises: RemoteFailure with each node's reason, or for a disk smaller than the template's; Refused, Unreachable.
    """
    if (staying := await _stays(world, host, decided)) is not None:
        return staying
    wish = wish_of(world.fleet, host, world.cluster(host), full=full)
    async with world.ledger.lock:
        rivals = await _rivals(world, host)
        view = await look(world, [host], [wish, *rivals])
        _keep_room(view, wish, rivals)
        return await _decide(world, host, wish, view, decided or {})


async def decide_all(world: World, hosts: Sequence[Host]) -> dict[str, Decision | PvenixError]:
    """Where several hosts without a VM go: those with the fewest nodes to choose from first, then the largest.

    So a host that needs a device of one node finds room there, however many others there are (F40).
    """
    wishes = {host.name: wish_of(world.fleet, host, world.cluster(host)) for host in hosts}
    if not hosts:
        return {}
    async with world.ledger.lock:
        view = await look(world, hosts, tuple(wishes.values()))
        found: dict[str, Decision | PvenixError] = {}
        for host in sorted(hosts, key=lambda one: freedom(wishes[one.name], view.site)):
            try:
                decision = await _decide(world, host, wishes[host.name], view, {})
            except PvenixError as error:
                found[host.name] = error
                continue
            view.site.place(wishes[host.name], decision.node, decision.route)
            found[host.name] = decision
    return {host.name: found[host.name] for host in hosts}


async def _rivals(world: World, host: Host) -> list[Wish]:
    """What hosts of this run ask that come later and can go to few nodes only."""
    listed = await world.survey.vms()
    names, ids = {vm.name for vm in listed}, {int(vm.vmid) for vm in listed}
    hosts = [world.fleet.hosts[name] for name in world.ledger.awaited if name in world.fleet.hosts]
    return [
        wish_of(world.fleet, one, world.cluster(one))
        for one in hosts
        if one.name not in (host.name, *names, *world.ledger.decisions)
        and one.machine.proxmox.vmid not in ids
        and (one.machine.proxmox.pci or one.machine.proxmox.node != "auto" or one.machine.proxmox.nodes)
    ]


def _keep_room(view: View, wish: Wish, rivals: Sequence[Wish]) -> None:
    """Count the rivals that have fewer nodes to choose from as if they were there (F40)."""
    mine = freedom(wish, view.site)
    for rival in sorted(rivals, key=lambda one: freedom(one, view.site)):
        if freedom(rival, view.site) > mine:
            return
        best = next(iter(rank(rival, view.site)), None)
        if best is not None and best.route is not None:
            view.site.place(rival, best.node, best.route)


async def look_up(world: World, hosts: Sequence[Host]) -> dict[str, Decision | PvenixError]:
    """Where several hosts are or would go, as `decide_all` for those without a VM.

    Raises: Unreachable when the cluster does not answer.
    """
    found: dict[str, Decision | PvenixError] = {}
    for host in hosts:
        try:
            staying = await _stays(world, host, None)
        except Unreachable:
            raise
        except PvenixError as error:
            found[host.name] = error
            continue
        if staying is not None:
            found[host.name] = staying
    found |= await decide_all(world, [host for host in hosts if host.name not in found])
    return {host.name: found[host.name] for host in hosts}


async def _stays(world: World, host: Host, decided: Mapping[str, str] | None) -> Decision | None:
    """The place of a VM that exists, which nothing here moves."""
    found = await world.vms.find(host.name, decided)
    if found is None:
        return None
    storage = next((disk.storage for disk in disks_in(found.config) if disk.key == ROOT_DISK), "")
    route = Route(way=Way.STAY, storage=storage, words=f"VM {found.vmid} is there, and stays")
    return Decision(host=host.name, node=found.node, vmid=found.vmid, route=route)


async def _decide(world: World, host: Host, wish: Wish, view: View, decided: Mapping[str, str]) -> Decision:
    if wish.template in view.errors:
        raise view.errors[wish.template]
    _check_size(wish, view)
    candidates = rank(wish, view.site)
    chosen = _kept(wish, candidates, decided) if "node" in decided else candidates[0] if candidates else None
    if chosen is None or chosen.route is None:
        raise NoNode(host.name, candidates)
    listed = (await world.survey.resources()).ids
    storages = frozenset(name for name, _ in needs(wish, chosen.route) if name)
    orphans = await orphans_on(world, chosen.node, storages, listed)
    if "vmid" in decided:
        vmid, warnings = Vmid(int(decided["vmid"])), ()  # type: Vmid, tuple[str, ...]
        _check_free(world, host, vmid)
    else:
        picked = choose_vmid(world, host, listed, orphans)
        vmid, warnings = picked.vmid, picked.warnings
    warnings = (*view.warnings, *warnings, *_after(view, wish, chosen))
    decision = Decision(
        host=host.name, node=chosen.node, vmid=vmid, route=chosen.route, candidates=candidates, warnings=warnings
    )
    world.ledger.keep(decision)
    return decision


def _check_size(wish: Wish, view: View) -> None:
    """Proxmox grows a disk and never shrinks one (F22)."""
    for template in view.site.templates.get(wish.template, ())[:1]:
        if template.root.size > wish.root:
            raise RemoteFailure(
                f"the disk of {wish.host} would be smaller than its template's",
                why=f"{wish.root / GIB:g} GiB are asked for, template {template.vmid} has {template.root.size / GIB:g}",
                hint=f"pvenix host edit {wish.host} disk={-(-template.root.size // GIB)}G, or another class",
                code="PVX0523",
            )


def _kept(wish: Wish, candidates: Sequence[Candidate], decided: Mapping[str, str]) -> Candidate:
    """The candidate that was decided on.

    Raises: RemoteFailure when it no longer is one, or the way there is another now.
    """
    for one in candidates:
        if one.node == decided["node"]:
            if one.route is None:
                raise _stale(wish, f"{one.node}: {one.refused}")
            was, now = decided.get("route", one.route.way), one.route.facts
            differing = [key for key, value in now.items() if decided.get(key, value) != value]
            if was != one.route.way or differing:
                raise _stale(wish, f"{one.node}: {was} was decided, it would be {one.route.words} now")
            return one
    raise _stale(wish, f"{decided['node']} is no node that the API token sees")


def _check_free(world: World, host: Host, vmid: Vmid) -> None:
    """Raise RemoteFailure when the decided id was promised to another host of this run, or is refused by Proxmox."""
    others = {other for name, other in world.ledger.vmids.items() if name != host.name}
    if vmid in others | world.ledger.refused:
        raise RemoteFailure(
            f"what was decided for {host.name} no longer holds",
            why=f"VM id {vmid} is taken",
            hint="pvenix plan",
            code="PVX0527",
        )


def _stale(wish: Wish, why: str) -> RemoteFailure:
    return RemoteFailure(
        f"what was decided for {wish.host} no longer holds",
        why=why,
        hint="look at a new plan: pvenix plan",
        code="PVX0527",
    )


def _after(view: View, wish: Wish, chosen: Candidate) -> tuple[str, ...]:
    """What to know of the cluster once the host is there."""
    if chosen.route is None:
        return ()
    load = view.site.load(chosen.node)
    view.site.loads[chosen.node] = load.with_wish(wish)
    try:
        warning = survives(view.site)
    finally:
        view.site.loads[chosen.node] = load
    return (warning,) if warning else ()
