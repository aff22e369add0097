"""Reads what placement judges by: one list of the cluster, and of a node only what may decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pvenix.engine.ports import Resources, VmConfig, VmState
from pvenix.lifecycle.placement.filters import judge
from pvenix.lifecycle.placement.templates import templates_of
from pvenix.lifecycle.placement.values import Load, Situation, TemplateSeen, Wish
from pvenix.lifecycle.placement.wishes import MIB, memory_of, wish_of
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused, Unreachable
from pvenix.model.host import Host, State
from pvenix.model.names import NodeName, Vmid
from pvenix.model.privileges import effective


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was seen, and what could not be."""

    site: Situation
    errors: Mapping[str, PvenixError] = field(default_factory=dict)
    """What is wrong with a template, by its name."""
    warnings: tuple[str, ...] = ()


async def look(world: World, hosts: Sequence[Host], wishes: Sequence[Wish]) -> View:
    """The site for placing `hosts`, which ask for `wishes`; what this run promised to others counts."""
    resources = await world.survey.resources()
    warnings: list[str] = []
    quorate = await _quorate(world, warnings)
    templates, errors = await _templates(world, {wish.template for wish in wishes if wish.template})
    wanted = {name for wish in wishes for name in wish.devices}
    devices = (
        {name: nodes for name, nodes in (await world.survey.pci_mappings()).items() if name in wanted} if wanted else {}
    )
    site = Situation(
        nodes=resources.nodes,
        storages={(one.node, one.name): one for one in resources.storages},
        capacity=world.cluster(hosts[0]).capacity,
        loads=loads(world, resources, warnings),
        quorate=quorate,
        devices=devices,
        hidden=await _hidden(world, wanted - devices.keys()),
        templates=templates,
    )
    _count_failovers(world, site, resources)
    await _count_devices(world, site, resources, skip={host.name for host in hosts})
    _count_promises(world, site, resources, skip={host.name for host in hosts})
    await _read_nodes(world, site, wishes)
    return View(site=site, errors=errors, warnings=tuple(warnings))


async def _quorate(world: World, warnings: list[str]) -> bool:
    try:
        return (await world.survey.quorum()).quorate
    except Refused:
        warnings.append("the API token lacks Sys.Audit on /, so whether the cluster has a quorum is not known")
        return True


async def _hidden(world: World, unlisted: set[str]) -> frozenset[str]:
    """Of the mappings that are not listed those that the token has no right on: they may be there all the same."""
    if not unlisted:
        return frozenset()
    granted = await world.survey.permissions()
    seen_by = {"Mapping.Audit", "Mapping.Use", "Mapping.Modify"}  # pve-manager, API2/Cluster/Mapping/PCI.pm
    return frozenset(name for name in unlisted if not seen_by & effective(granted, f"/mapping/pci/{name}"))


async def _templates(
    world: World, names: Iterable[str]
) -> tuple[dict[str, tuple[TemplateSeen, ...]], dict[str, PvenixError]]:
    found, errors = {}, {}  # type: dict[str, tuple[TemplateSeen, ...]], dict[str, PvenixError]
    for name in sorted(names):
        try:
            found[name] = await templates_of(world, world.fleet.site.templates[name])
        except PvenixError as error:
            errors[name] = error
    return found, errors


def loads(world: World, resources: Resources, warnings: list[str]) -> dict[NodeName, Load]:
    """What each node carries when all that belongs there runs.

    A running VM counts, and a stopped one unless the inventory says that it does not start with its node. Of a VM whose
    figures the cluster does not show yet the inventory tells the size.
    """
    by_id, found, blind = _known_hosts(world), {}, 0  # type: dict[Vmid, Host], dict[NodeName, Load], int
    for vm in sorted(resources.vms, key=lambda one: one.vmid):
        host = by_id.get(vm.vmid) or (world.fleet.hosts.get(vm.name) if vm.name else None)
        if vm.template or (host is not None and _rests(host, vm)):
            continue
        memory = vm.memory_max or (host.machine.memory_mib * MIB if host else 0)
        blind += not memory
        node = _node_of(world, vm, host)
        load = found.setdefault(node, Load())
        found[node] = load.with_wish(
            Wish(
                host=vm.name,
                memory=memory_of(memory) if memory else 0,
                cpus=vm.cpus or (host.machine.cores if host else 0),
                root=0,
                spread=host.machine.proxmox.spread if host else "",
            )
        )
    if blind:
        warnings.append(f"the cluster shows no figures of {blind} VMs that the inventory does not know")
    return found


def _count_failovers(world: World, site: Situation, resources: Resources) -> None:
    """Count the guests that come to another node when their own dies, by what the inventory says of them."""
    by_id = _known_hosts(world)
    for vm in resources.vms:
        host = by_id.get(vm.vmid) or (world.fleet.hosts.get(vm.name) if vm.name else None)
        ha = host.machine.proxmox.ha if host else None
        if host is None or ha is None or not ha.failover or vm.template or _rests(host, vm):
            continue
        memory = memory_of(vm.memory_max or host.machine.memory_mib * MIB)
        site.stand_by(ha.failover, _node_of(world, vm, host), memory)


def _known_hosts(world: World) -> dict[Vmid, Host]:
    declared = {Vmid(one.machine.proxmox.vmid): one for one in world.fleet.hosts.values() if one.machine.proxmox.vmid}
    return declared | {vmid: world.fleet.hosts[name] for name, vmid in world.ledger.vmids.items()}


def _rests(host: Host, vm: VmState) -> bool:
    """True for a VM that is off and stays so when its node starts."""
    return vm.status == "stopped" and (host.machine.state is not State.PRESENT or not host.machine.proxmox.onboot)


def _node_of(world: World, vm: VmState, host: Host | None) -> NodeName:
    """While a VM is cloned the cluster lists it on the template's node."""
    decision = world.ledger.decisions.get(host.name) if host else None
    return decision.node if decision is not None and vm.lock == "clone" else vm.node


async def _count_devices(world: World, site: Situation, resources: Resources, *, skip: set[str]) -> None:
    """Count the mapped devices that running guests have, on the nodes that have one of the wanted mappings.

    So do devices of hosts of this run whose VMs are there and do not run yet.
    """
    nodes = {node for there in site.devices.values() for node in there}
    waiting = {one.vmid: name for name, one in world.ledger.decisions.items() if name not in skip}
    for vm in resources.vms:
        if vm.node not in nodes or vm.template:
            continue
        if vm.status != "stopped":
            used = await _devices_of(world, site, vm)
        else:
            host = world.fleet.hosts.get(waiting.get(vm.vmid, ""))
            used = tuple(device.mapping for device in host.machine.proxmox.pci) if host else ()
        for name in used:
            _use(site, vm.node, name)


async def _devices_of(world: World, site: Situation, vm: VmState) -> tuple[str, ...]:
    try:
        config = await world.survey.config(vm.node, vm.vmid)
    except (Unreachable, OutcomeUnknown) as error:
        site.silent = {**site.silent, vm.node: str(error)}
        return ()
    return mapped(config) if config else ()


def mapped(config: VmConfig) -> tuple[str, ...]:
    """The PCI mappings that a VM's configuration names."""
    devices = (value.split(",") for key, value in sorted(config.values.items()) if key.startswith("hostpci"))
    return tuple(part[8:] for parts in devices for part in parts if part.startswith("mapping="))


def _use(site: Situation, node: NodeName, name: str) -> None:
    load = site.load(node)
    site.loads[node] = Load(
        memory=load.memory,
        cpus=load.cpus,
        spread=load.spread,
        devices={**load.devices, name: load.devices.get(name, 0) + 1},
        guests=load.guests,
    )


def _count_promises(world: World, site: Situation, resources: Resources, *, skip: set[str]) -> None:
    """Count the hosts of this run whose VMs the cluster does not list yet."""
    listed = {vm.vmid for vm in resources.vms}
    for name, decision in sorted(world.ledger.decisions.items()):
        if name not in skip and decision.vmid not in listed:
            host = world.fleet.hosts[name]
            site.place(wish_of(world.fleet, host, world.cluster(host)), decision.node, decision.route)


async def _read_nodes(world: World, site: Situation, wishes: Sequence[Wish]) -> None:
    """Read bridges and images of the nodes that may be taken, and what the token may see when a bridge is missing."""
    nodes = [one.name for one in site.nodes if any(not isinstance(judge(wish, one, site), str) for wish in wishes)]
    bridges: dict[NodeName, tuple[str, ...]] = {}
    images: dict[NodeName, frozenset[str]] = {}
    silent = dict(site.silent)
    wanted = {bridge for wish in wishes for bridge in wish.bridges}
    holding = {wish.iso_storage for wish in wishes if wish.image}

    async def read(node: NodeName) -> None:
        try:
            if wanted:
                bridges[node] = await world.survey.bridges(node)
            if holding:
                there = [one for one in sorted(holding) if (node, one) in site.storages]
                listed = [await world.survey.volumes(node, one, "iso") for one in there]
                images[node] = frozenset(volume.id for each in listed for volume in each)
        except (Unreachable, OutcomeUnknown) as error:
            silent[node] = str(error)

    async with Together() as group:
        for node in nodes:
            group.create_task(read(node))
    site.bridges, site.images, site.silent = bridges, images, silent
    if any(not wanted <= set(listed) for listed in bridges.values()):
        granted = await world.survey.permissions()
        rights = (right for path, held in granted.items() if path == "/" or path.startswith("/sdn") for right in held)
        site.sdn_seen = any(right in ("SDN.Use", "SDN.Audit") for right in rights)
