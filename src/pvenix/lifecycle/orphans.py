"""Find what runs, crashes and people left behind: marked VMs without a host, stubs of clones, volumes without a VM.

Nothing is changed here. Proxmox leaves out of its lists what the token may not see, so that is told too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pvenix.engine.ports import StorageState, VmState, Volume
from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle.notes import parse
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.unfinished import Made, unfinished
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, Refused, RemoteFailure, Unreachable
from pvenix.model.host import State
from pvenix.model.names import NodeName
from pvenix.model.orphans import Orphan, OrphanKind, Orphans

_SEE: Final = "VM.Audit"


async def orphans(world: World, runs: RunStore) -> Orphans:
    """Everything that is nobody's, as far as the token may see.

    Raises: Unreachable, Refused when not even the lists come.
    """
    world.survey.outdated()
    granted = await world.survey.permissions()
    vms = [vm for vm in await world.survey.vms() if not vm.template]
    unseen = [] if _SEE in granted.get("/vms", {}) else [_blind()]
    made = unfinished(runs)
    read, silent = await _configs(world, vms)
    found = [
        *await _marked(world, read),
        *await _stubs(world, vms, read, made),
        *_of_runs(world, vms, read, made),
    ]
    if unseen:
        unseen.append("volumes without a VM: not looked for, as the VM may only be hidden")
    else:
        volumes, closed = await _volumes(world)
        found += volumes
        unseen += closed
    return Orphans(found=tuple(found), unseen=(*unseen, *silent))


async def _configs(world: World, vms: Sequence[VmState]) -> tuple[dict[int, Found], list[str]]:
    """The configurations of VMs by id, and what of it did not come."""

    async def one(vm: VmState) -> Found | str | None:
        try:
            config = await world.pve.config(vm.node, vm.vmid)
        except (Unreachable, Refused, RemoteFailure) as error:
            return f"VM {vm.vmid} on {vm.node}: {error}"
        return Found(node=vm.node, vmid=vm.vmid, config=config) if config is not None else None

    async with Together() as group:
        reading = [group.create_task(one(vm)) for vm in vms]
    results = [task.result() for task in reading]
    return (
        {int(each.vmid): each for each in results if isinstance(each, Found)},
        [each for each in results if isinstance(each, str)],
    )


async def _marked(world: World, read: Mapping[int, Found]) -> list[Orphan]:
    """VMs whose notes name a host that is not in the inventory, or one that has another VM."""
    by_host: dict[str, list[Found]] = defaultdict(list)
    for found in read.values():
        notes = parse(found.config.values.get("description", ""))
        if notes.host and notes.fleet in ("", world.fleet.site.name):
            by_host[notes.host].append(found)
    orphans: list[Orphan] = []
    for host, vms in sorted(by_host.items()):
        listed = world.fleet.hosts.get(host)
        if listed is None:
            orphans += [_vanished(found, host) for found in vms]
        elif listed.machine.state is State.ABSENT:
            orphans += [_entombed(found, host) for found in vms]
        else:
            orphans += await _doubles(world, host, vms)
    return orphans


def _vanished(found: Found, host: str) -> Orphan:
    why = f"its notes say that it is {host}, which the inventory does not have"
    return _orphan(OrphanKind.VANISHED, found, host, why, (_adopt(found, host), _remove(found)))


def _entombed(found: Found, host: str) -> Orphan:
    why = f"the inventory has {host} as absent, and its VM is still there"
    return _orphan(OrphanKind.VANISHED, found, host, why, (f"pvenix retire {host} --confirm {host}",))


async def _doubles(world: World, host: str, vms: Sequence[Found]) -> list[Orphan]:
    """Of the VMs that are marked as one host's, those that are not it."""
    try:
        own = await world.vms.find(host)
    except Refused as error:  # two of them may be it
        return [_double(found, host, str(error), (error.hint,)) for found in vms]
    except PvenixError as error:
        return [_double(found, host, f"whose it is cannot be told: {error}", ()) for found in vms if len(vms) > 1]
    if own is None:
        return [
            _double(found, host, f"it is called {_name(found)!r}, and {host} has no VM", (_adopt(found, host),))
            for found in vms
        ]
    others = [found for found in vms if found.vmid != own.vmid]
    return [_double(each, host, f"{host} has VM {own.vmid}", (_remove(each),)) for each in others]


def _double(found: Found, host: str, why: str, ways: tuple[str, ...]) -> Orphan:
    return _orphan(OrphanKind.DOUBLE, found, host, why, ways)


def _orphan(kind: OrphanKind, found: Found, host: str, why: str, ways: tuple[str, ...]) -> Orphan:
    return Orphan(kind=kind, vmid=int(found.vmid), node=found.node, name=_name(found), host=host, why=why, ways=ways)


async def _stubs(
    world: World, vms: Iterable[VmState], read: Mapping[int, Found], made: Mapping[int, Made]
) -> list[Orphan]:
    """VMs that a clone has locked, when no clone runs: its task carries the template's id, and never the new one's."""
    locked = [
        vm
        for vm in vms
        if vm.lock == "clone" or (vm.vmid in read and read[vm.vmid].config.values.get("lock") == "clone")
    ]
    if not locked or await _cloning(world):
        return []
    return [
        Orphan(
            kind=OrphanKind.STUB,
            vmid=int(vm.vmid),
            node=vm.node,
            name=vm.name,
            host=made[vm.vmid].host if vm.vmid in made else "",
            why="it is locked by a clone, and no clone of a template runs",
            ways=_stub_ways(vm, made.get(vm.vmid)),
        )
        for vm in locked
    ]


def _stub_ways(vm: VmState, made: Made | None) -> tuple[str, ...]:
    """It has no marker yet, so pvenix destroys none; what a run of ours began is for that run to judge."""
    by_hand = f"on {vm.node}, when it is nobody's: qm unlock {vm.vmid} && qm destroy {vm.vmid}"
    return (f"pvenix resume {made.run}", by_hand) if made else (by_hand,)


async def _cloning(world: World) -> bool:
    """True while any template is being cloned."""
    for template in await world.survey.vms():
        if template.template:
            tasks = await world.pve.tasks_of(template.node, template.vmid)
            if any(task.kind == "qmclone" and task.running for task in tasks):
                return True
    return False


def _of_runs(world: World, vms: Iterable[VmState], read: Mapping[int, Found], made: Mapping[int, Made]) -> list[Orphan]:
    """The VMs of unfinished runs that are there, and are marked as what the run was about."""
    there = {int(vm.vmid): vm for vm in vms}
    return [
        Orphan(
            kind=OrphanKind.RUN,
            vmid=vmid,
            node=there[vmid].node,
            name=there[vmid].name,
            host=one.host,
            why=f"run {one.run} began to make it and did not end well",
            ways=(f"pvenix resume {one.run}", *((_remove(read[vmid]),) if one.host not in world.fleet.hosts else ())),
        )
        for vmid, one in sorted(made.items())
        if vmid in read and vmid in there and world.vms.owns(read[vmid].config, one.host)
    ]


async def _volumes(world: World) -> tuple[list[Orphan], list[str]]:
    """Disks of ids that no VM has; the disks of containers are listed by Proxmox as another kind."""
    resources = await world.survey.resources()
    listed: list[tuple[NodeName, Volume]] = []
    closed: list[str] = []
    for storage in _once(resources.storages):
        try:
            volumes = await world.pve.volumes(storage.node, storage.name, content="images")
        except (Refused, RemoteFailure, Unreachable) as error:
            closed.append(f"storage {storage.name} on {storage.node}: {error}")
            continue
        listed += [(storage.node, volume) for volume in volumes]
    world.survey.outdated()  # a VM that was made meanwhile has its disks since
    known = {0} | resources.ids | (await world.survey.resources()).ids
    return [_stray(node, volume) for node, volume in listed if volume.vmid not in known], closed


def _stray(node: NodeName, volume: Volume) -> Orphan:
    return Orphan(
        kind=OrphanKind.VOLUME,
        vmid=volume.vmid,
        node=node,
        name=volume.id,
        why=f"{volume.size / (1 << 30):.1f} GiB of VM {volume.vmid}, which there is not",
        ways=(f"on {node}, when it is nobody's: pvesm free {volume.id}",),
    )


def _once(storages: Iterable[StorageState]) -> list[StorageState]:
    """Storages for disks, a shared one at one node only."""
    seen: set[str] = set()
    kept: list[StorageState] = []
    for each in storages:
        place = each.name if each.shared else f"{each.name} {each.node}"
        if each.active and "images" in each.content and place not in seen:
            seen.add(place)
            kept.append(each)
    return kept


def _name(found: Found) -> str:
    return found.config.values.get("name", "")


def _adopt(found: Found, host: str) -> str:
    return f"pvenix adopt {found.vmid} {host}" + (" --rename" if _name(found) != host else "")


def _remove(found: Found) -> str:
    return f"pvenix orphans remove {found.vmid} --confirm {found.vmid}"


def _blind() -> str:
    return f"VMs: the token has {_SEE} on some only, and lists leave the others out; to see all, give its role {_SEE} on /vms"
