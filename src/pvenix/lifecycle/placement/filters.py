"""Why a node may not take a host: the first reason, the cheap ones first."""

from __future__ import annotations

from pvenix.engine.ports import NodeState, StorageState
from pvenix.lifecycle.placement.routes import route_to
from pvenix.lifecycle.placement.values import GIB, Route, Situation, Wish, needs
from pvenix.model.names import NodeName


def judge(wish: Wish, node: NodeState, site: Situation) -> Route | str:
    """The way to the node, or why the host cannot go there."""
    refused = _unfit(wish, node, site) or _devices(wish, node.name, site) or _network(wish, node.name, site)
    if refused:
        return refused
    route = route_to(wish, node.name, site)
    if isinstance(route, str):
        return route
    return (
        _storages(wish, route, node.name, site) or _failover(wish, node.name, site) or _room(wish, node, site) or route
    )


def _unfit(wish: Wish, node: NodeState, site: Situation) -> str:
    if not node.online:
        return "offline"
    if not site.quorate:
        return "the cluster has no quorum"
    if node.name in site.silent:
        return f"does not answer: {site.silent[node.name]}"
    if wish.node and wish.node != node.name:
        return f"the inventory wants {wish.node}"
    if wish.nodes and node.name not in wish.nodes:
        return "not in machine.proxmox.nodes"
    if node.name in wish.avoid:
        return "in machine.proxmox.avoid"
    if not node.memory_total:
        return "shows no memory: the API token needs Sys.Audit there"
    return ""


def _devices(wish: Wish, node: NodeName, site: Situation) -> str:
    """Each mapping needs a device that no running guest has, and the token a right on it."""
    for name in dict.fromkeys(wish.devices):
        if name in site.hidden:
            return f"{name} cannot be checked: the API token lacks Mapping.Use on /mapping/pci/{name}"
        there, used = site.devices.get(name, {}).get(node, 0), site.load(node).devices.get(name, 0)
        if not there:
            return f"has no {name}"
        if used + wish.devices.count(name) > there:
            return f"{name} is in use by another guest"
    return ""


def _network(wish: Wish, node: NodeName, site: Situation) -> str:
    listed = site.bridges.get(node)
    if listed is None:
        return ""
    for bridge in wish.bridges:
        if bridge in listed:
            continue
        if site.sdn_seen:
            return f"lists no bridge {bridge}: it is not there, or the API token lacks SDN.Use on it"
        return f"lists no bridge {bridge}: the API token has no SDN.Use, so it may be there all the same"
    return ""


def _storages(wish: Wish, route: Route, node: NodeName, site: Situation) -> str:
    total: dict[str, int] = {}
    for name, size in needs(wish, route):
        total[name] = total.get(name, 0) + size
    for name, size in total.items():
        if reason := _storage(site.storages.get((node, name)), name, size, site):
            return reason
    if wish.iso_storage and (node, wish.iso_storage) not in site.storages:
        return f"has no storage {wish.iso_storage}, where the ISO image is"
    if wish.image and wish.image not in site.images.get(node, (wish.image,)):
        return f"has no image {wish.image}"
    return ""


def _storage(storage: StorageState | None, name: str, size: int, site: Situation) -> str:
    if storage is None:
        return f"has no storage {name}, or the API token lacks Datastore.Audit on it"
    if not storage.active:
        return f"storage {name} is not active"
    if "images" not in storage.content:
        return f"storage {name} takes no disks of VMs"
    if not storage.total:
        return ""
    free = storage.available - site.taken(storage) - size
    if free < storage.total * site.capacity.storage_headroom_percent // 100:
        return (
            f"storage {name} has {max(0, storage.available - site.taken(storage)) / GIB:.0f} GiB, of which "
            f"{site.capacity.storage_headroom_percent} % of {storage.total / GIB:.0f} stay free; {size / GIB:.0f} are needed"
        )
    return ""


def _failover(wish: Wish, node: NodeName, site: Situation) -> str:
    """The host has to be able to live on its failover node too."""
    partner = wish.ha.failover if wish.ha else ""
    if not partner:
        return ""
    if partner == node:
        return "is the failover node of machine.proxmox.ha"
    if not any(one.name == partner and one.online for one in site.nodes):
        return f"failover to {partner} is impossible: it is offline or no node"
    for name in dict.fromkeys((wish.storage, *(name for name, _ in wish.disks))):
        if name and (NodeName(partner), name) not in site.storages:
            return f"failover to {partner} is impossible: it has no storage {name}"
    for name in wish.devices:
        if name in site.devices and NodeName(partner) not in site.devices[name]:
            return f"failover to {partner} is impossible: it has no {name}"
    return ""


def _room(wish: Wish, node: NodeState, site: Situation) -> str:
    load, budget, kept = site.load(node.name), site.budget(node), site.kept(node.name)
    left = budget - kept - load.memory
    if wish.memory > left:
        failover = f", {kept / GIB:.1f} are kept for guests that fail over to it" if kept else ""
        return (
            f"not enough memory: {max(0, left) / GIB:.1f} of {budget / GIB:.1f} GiB are left{failover}, "
            f"{wish.memory / GIB:.1f} are needed"
        )
    cpus = load.cpus + wish.cpus
    if node.cpus and cpus > node.cpus * site.capacity.cpu_ratio:
        return f"{cpus} virtual CPUs on {node.cpus} are more than the ratio {site.capacity.cpu_ratio:g} allows"
    return ""
