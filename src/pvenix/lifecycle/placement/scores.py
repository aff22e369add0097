"""How good a node is for a host, and which one is the best."""

from __future__ import annotations

import heapq
from dataclasses import replace

from pvenix.engine.ports import NodeState
from pvenix.lifecycle.placement.filters import judge
from pvenix.lifecycle.placement.values import GIB, Candidate, Route, Scores, Situation, Wish, needs

MEMORY, CPU, STORAGE, SPREAD, LOCALITY = 40.0, 20.0, 15.0, 15.0, 10.0
_ROOMY = 0.25
"""Share of free memory from which a node counts as roomy."""
_STEEP = 0.9
"""Share of the points for memory that a roomy node has for sure: CPU decides between roomy nodes, else nodes with few
processors and much memory fill up first (seen with the nodes of machine shapes 64 CPUs/504 GiB and 32 CPUs/661 GiB)."""


def rank(wish: Wish, site: Situation) -> tuple[Candidate, ...]:
    """Every node, the best first, those that cannot take the host last; the order of the inputs does not matter."""
    return tuple(sorted((candidate(wish, node, site) for node in site.nodes), key=lambda one: one.rank))


def candidate(wish: Wish, node: NodeState, site: Situation) -> Candidate:
    """One node."""
    found = judge(wish, node, site)
    if isinstance(found, str):
        return Candidate(node=node.name, refused=found)
    return Candidate(node=node.name, scores=_scores(wish, node, found, site), route=found)


def _scores(wish: Wish, node: NodeState, route: Route, site: Situation) -> Scores:
    load = site.load(node.name)
    memory = 1 - (load.memory + wish.memory) / max(1, site.budget(node))
    cpu = 1 - (load.cpus + wish.cpus) / max(1.0, node.cpus * site.capacity.cpu_ratio) if node.cpus else 0.0
    storage = _storage_left(wish, node, route, site)
    roomy = _STEEP * min(1.0, max(0.0, memory) / _ROOMY) + (1 - _STEEP) * max(0.0, memory)
    return Scores(
        memory=MEMORY * roomy,
        cpu=CPU * max(0.0, cpu),
        storage=STORAGE * storage,
        spread=SPREAD / (1 + load.spread.get(wish.spread, 0)) if wish.spread else SPREAD,
        locality=LOCALITY if route.local else 0.0,
        least=round(min(memory, cpu, storage), 9),
    )


def _storage_left(wish: Wish, node: NodeState, route: Route, site: Situation) -> float:
    """The share of the root disk's storage that stays free."""
    storage = site.storages.get((node.name, route.storage))
    if storage is None or not storage.total:
        return 0.0
    need = sum(size for name, size in needs(wish, route) if name == route.storage)
    return max(0.0, (storage.available - site.taken(storage) - need) / storage.total)


def survives(site: Situation) -> str:
    """Empty when every guest would still have room after the node with the most memory died, else what would not fit.

    Guests are put where most is left, the largest first; what else they need is not looked at.
    """
    online = sorted((node for node in site.nodes if node.online and node.memory_total), key=lambda node: node.name)
    if len(online) < 2:
        return ""
    dead = max(online, key=lambda node: (node.memory_total, site.load(node.name).memory))
    left = [-(site.budget(node) - site.load(node.name).memory) for node in online if node is not dead]
    heapq.heapify(left)
    missing = 0
    for guest in sorted(site.load(dead.name).guests, reverse=True):
        if -left[0] < guest:
            missing += guest
        else:
            heapq.heapreplace(left, left[0] + guest)
    if not missing:
        return ""
    return f"if {dead.name} died, guests with {missing / GIB:.0f} GiB of memory would find no room on the other nodes"


def freedom(wish: Wish, site: Situation) -> tuple[int, int, int, str]:
    """Sorts the hosts with the fewest nodes to choose from first, then the largest ones."""
    alone = replace(site, loads={}, promised={}, standby={})
    choices = sum(not isinstance(judge(wish, node, alone), str) for node in site.nodes)
    return choices, -wish.memory, -wish.cpus, wish.host
