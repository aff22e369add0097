"""What the hosts of one run share of the cluster: nodes, VMs and storages as they were last listed, and what is promised to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from pvenix.engine.ports import BackupJob, Clock, Pve, Resources, VmState
from pvenix.model.names import NodeName, Vmid

_AGE_S = 1.0
_HELD_AGE_S = 1e9
_SLOW_AGE_S = 60.0
"""What people change by hand and seldom: networks, mappings, pools, jobs."""
T = TypeVar("T")


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
        self._age_s = _AGE_S
        self._resources = Resources(nodes=(), vms=(), storages=())
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self._known: dict[str, tuple[float, object]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def resources(self) -> Resources:
        """Nodes, VMs and storages, read at most a second ago; Proxmox' own figures lag by ten."""
        async with self._lock:
            if self._clock.monotonic() - self._read_at > self._age_s:
                self._resources = await self._pve.resources()
                self._read_at = self._clock.monotonic()
            return self._resources

    async def vms(self) -> tuple[VmState, ...]:
        """Every VM of the cluster that the token may see."""
        return (await self.resources()).vms

    def hold(self) -> None:
        """Keep what is read next for good: a plan is one picture of the cluster."""
        self._age_s = _HELD_AGE_S

    def outdated(self) -> None:
        """Forget the VMs that were read, as after one was made or destroyed."""
        self._read_at = float("-inf")

    async def bridges(self, node: NodeName) -> tuple[str, ...]:
        """Bridges and virtual networks of `node` that the token may see."""
        return await self._seldom(f"bridges of {node}", lambda: self._pve.bridges(node))

    async def pci_mappings(self) -> Mapping[str, frozenset[NodeName]]:
        """The nodes of each PCI mapping that the token may see."""
        return await self._seldom("mappings", self._pve.pci_mappings)

    async def pools(self) -> tuple[str, ...]:
        """Resource pools that the token may see."""
        return await self._seldom("pools", self._pve.pools)

    async def backup_jobs(self) -> tuple[BackupJob, ...]:
        """The scheduled backup jobs.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        return await self._seldom("backup jobs", self._pve.backup_jobs)

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        """Privileges of the token by path."""
        return await self._seldom("permissions", self._pve.permissions)

    async def _seldom(self, what: str, read: Callable[[], Awaitable[T]]) -> T:
        """What was read at most a minute ago; the hosts of a run ask once for all."""
        async with self._locks.setdefault(what, asyncio.Lock()):
            known = self._known.get(what)
            if known is None or self._clock.monotonic() - known[0] > _SLOW_AGE_S:
                known = self._clock.monotonic(), await read()
                self._known[what] = known
            return cast("T", known[1])
