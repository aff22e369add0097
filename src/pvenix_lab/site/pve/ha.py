"""High availability: resources, and a manager that acts later than it answers (source: pve-ha-manager, API2/HA/Resources.pm; F27)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pvenix_lab.site.pve.call import Call
    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.tasks import Task

RESOURCES, GROUPS, RULES = "ha/resources", "ha/groups", "ha/rules"
NO_ACTION = frozenset({"ignored"})


def resource(cluster: Cluster, vmid: int) -> dict[str, Any] | None:
    """The HA resource of a VM, None if it has none."""
    return cluster.sections.get(RESOURCES, {}).get(f"vm:{vmid}")


def managed(cluster: Cluster, vmid: int) -> bool:
    """True if the HA manager looks after the VM; a resource in state `ignored` it leaves alone."""
    found = resource(cluster, vmid)
    return found is not None and found.get("state", "started") not in NO_ACTION


def _wake(call: Call) -> None:
    from pvenix_lab.site.pve.ha_manager import wake  # imported late: the manager uses power, which asks this module

    wake(call, call.vmid)


def requester(call: Call, word: str, state: str) -> Callable[[Task], Awaitable[None]]:
    """The worker of a power call on an HA resource: it writes the wanted state and ends; the manager acts in its next round."""

    async def worker(task: Task) -> None:
        task.log(f"Requesting HA {word} for VM {call.vmid}")
        found = resource(call.cluster, call.vmid)
        if found is not None:
            found["state"] = state
            _wake(call)

    return worker


def mover(call: Call, target: str) -> Callable[[Task], Awaitable[None]]:
    """The worker of a migration call on an HA resource."""

    async def worker(task: Task) -> None:
        task.log(f"Requesting HA migration for VM {call.vmid} to node {target}")
        found = resource(call.cluster, call.vmid)
        if found is not None:
            found["request_migrate"] = target
            _wake(call)

    return worker
