"""What the hosts of one run share of the cluster: nodes, VMs and storages as they were last listed, and what is promised to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from pvenix.engine.ports import BackupJob, Clock, Pve, Quorum, Resources, VmConfig, VmState, Volume
from pvenix.model.names import NodeName, Vmid

if TYPE_CHECKING:
    from pvenix.lifecycle.placement.values import Decision

_AGE_S = 1.0
_HELD_AGE_S = 1e9
_SLOW_AGE_S = 60.0
"""What people change by hand and seldom: networks, mappings, pools, jobs."""
_VOLUMES = "volumes: "
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What is promised to hosts of this run."""

    vmids: dict[str, Vmid] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    """Where each host goes; it counts until the cluster lists its VM."""
    awaited: tuple[str, ...] = ()
    """Every host of the run: those that need a device or one node find room there, whoever comes first."""
    refused: set[Vmid] = field(default_factory=set)
    """Ids that Proxmox said are taken: the token may not see every VM, and the list lags."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lists: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the list of a backup job is read and written back with another VM: Proxmox takes whole lists only."""
    _images: dict[str, asyncio.Lock] = field(default_factory=dict)

    def image(self, name: str) -> asyncio.Lock:
        """Held while an image is looked for and fetched, so that two hosts do not fetch it both."""
        return self._images.setdefault(name, asyncio.Lock())

    def keep(self, decision: Decision) -> None:
        """Promise a host its place."""
        self.vmids[decision.host] = decision.vmid
        self.decisions[decision.host] = decision

    def release(self, host: str) -> None:
        """Give back what was promised to a host that does not come."""
        self.vmids.pop(host, None)
        self.decisions.pop(host, None)


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
        for what in [name for name in self._known if name.startswith(_VOLUMES)]:
            del self._known[what]

    async def bridges(self, node: NodeName) -> tuple[str, ...]:
        """Bridges and virtual networks of `node` that the token may see."""
        return await self._seldom(f"bridges of {node}", lambda: self._pve.bridges(node))

    async def pci_mappings(self) -> Mapping[str, Mapping[NodeName, int]]:
        """How many devices each PCI mapping that the token may see has on each of its nodes."""
        return await self._seldom("mappings", self._pve.pci_mappings)

    async def pools(self) -> tuple[str, ...]:
        """Resource pools that the token may see."""
        return await self._seldom("pools", self._pve.pools)

    async def backup_jobs(self) -> tuple[BackupJob, ...]:
        """The scheduled backup jobs.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        return await self._seldom("backup jobs", self._pve.backup_jobs)

    async def quorum(self) -> Quorum:
        """Whether the cluster takes writes.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        return await self._seldom("quorum", self._pve.quorum)

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The configuration of a template or of somebody else's VM, None when it is not there; never of one to write to."""
        return await self._seldom(f"config of {vmid} on {node}", lambda: self._pve.config(node, vmid))

    async def volumes(self, node: NodeName, storage: str, content: str) -> tuple[Volume, ...]:
        """What of one kind is on `storage`, as far as the token may see it."""
        what = f"{_VOLUMES}{content} on {storage} of {node}"
        return await self._seldom(what, lambda: self._pve.volumes(node, storage, content=content))

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
