"""What the hosts of one run share of the cluster: nodes, VMs and storages as they were last listed, and what is promised to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from pvenix.engine.ports import Clock, Pve, Resources, VmState
from pvenix.model.names import NodeName, Vmid

_AGE_S = 1.0


@dataclass(slots=True, kw_only=True)
class Ledger:
    """VM ids and memory promised to hosts of this run whose VMs do not exist yet."""

    vmids: dict[str, Vmid] = field(default_factory=dict)
    memory: dict[str, tuple[NodeName, int]] = field(default_factory=dict)
    """Node and bytes by host."""
    refused: set[Vmid] = field(default_factory=set)
    """Ids that Proxmox said are taken: the token may not see every VM, and the list lags."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def reserved(self, host: str, vms: Sequence[VmState]) -> dict[NodeName, int]:
        """Bytes by node that are promised to others and that `vms` does not show yet."""
        shown = {vm.vmid for vm in vms if vm.memory_max}
        found: dict[NodeName, int] = {}
        for name, (node, memory) in self.memory.items():
            if name != host and self.vmids.get(name) not in shown:
                found[node] = found.get(node, 0) + memory
        return found


class Survey:
    """The cluster at one glance, read once for all hosts that ask within a second."""

    def __init__(self, pve: Pve, clock: Clock) -> None:
        self._pve = pve
        self._clock = clock
        self._resources = Resources(nodes=(), vms=(), storages=())
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def resources(self) -> Resources:
        """Nodes, VMs and storages, read at most a second ago; Proxmox' own figures lag by ten."""
        async with self._lock:
            if self._clock.monotonic() - self._read_at > _AGE_S:
                self._resources = await self._pve.resources()
                self._read_at = self._clock.monotonic()
            return self._resources

    async def vms(self) -> tuple[VmState, ...]:
        """Every VM of the cluster that the token may see."""
        return (await self.resources()).vms

    def outdated(self) -> None:
        """Forget what was read, as after a VM was made or destroyed."""
        self._read_at = float("-inf")
