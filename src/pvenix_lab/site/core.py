"""The site: one cluster and its guests under one clock, one random source and one set of faults.

Nothing here opens a socket. Time is the running event loop's, so a test may run the whole site under a virtual clock.
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from pvenix_lab.site.armed.table import Armed, Repertoire
from pvenix_lab.site.counters import Counters
from pvenix_lab.site.pve.cluster import Cluster
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.vm import Vm

if TYPE_CHECKING:
    from types import TracebackType

_LOG = logging.getLogger(__name__)


class AgentError(Exception):
    """The guest agent refused a command; the text is the agent's own, without a prefix."""


class GuestProtocol(Protocol):
    """What the cluster asks of a guest."""

    async def power_on(self) -> None:
        """Begin to boot; returns at once."""

    async def power_off(self, *, graceful: bool) -> None:
        """Stop; returns when the guest is off."""

    def agent_ready(self) -> bool:
        """True once the guest agent answers."""

    def agent(self, command: str, params: Mapping[str, object]) -> object:
        """Run an agent command. Raises AgentError with the agent's text."""


GuestFactory = Callable[["Site", Vm, Path], GuestProtocol]
CloneDisk = Callable[["Site", Path, Path], None]
FaultTable = Callable[["Site"], Armed]


def no_faults(_site: Site) -> Armed:
    """The table of a site at which nothing can be armed."""
    return Armed(Repertoire())


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Durations in seconds. `scaled` by the site's time scale, except the four of the protocol itself.

    The protocol's own are measured on 8.4.5: the delay of every 401, the wait for a silent guest agent,
    the time until a reply that cannot be sent shows up as 596, and until
    the network gives up on a node that is gone (a guess).
    """

    unauthorized_s: float = 3.0
    agent_silence_s: float = 3.0
    broken_reply_s: float = 5.0
    no_route_s: float = 3.0
    fork_s: float = 0.02
    clone_s: float = 0.4
    start_s: float = 0.3
    stop_s: float = 0.1
    destroy_s: float = 0.1
    resize_s: float = 0.05
    snapshot_s: float = 0.1
    migrate_s: float = 0.3
    boot_s: float = 0.6
    ssh_s: float = 0.2
    cloud_init_s: float = 0.2
    broadcast_s: float = 10.0


class Site:
    """One simulated site. Use as an async context manager, or call `start` and `stop`."""

    def __init__(  # noqa: PLR0913  a site is composed here, and nothing in it is found in any other way
        self,
        *,
        root: Path,
        seed: int = 1,
        time_scale: float = 1.0,
        timings: Timings | None = None,
        wall: Callable[[], float] = time.time,
        guest_factory: GuestFactory,
        clone_disk: CloneDisk,
        pve: Flavour = Flavour.PVE_8_4,
        faults: FaultTable = no_faults,
    ) -> None:
        self.root = root
        self.seed = seed
        self.rng = random.Random(seed)
        self.time_scale = time_scale
        self.timings = timings or Timings()
        self.wall = wall
        self.faults = faults(self)
        self.counters = Counters()
        self.cluster = Cluster.standard(self.rng, now=int(wall()), flavour=pve)
        self.guests: dict[int, GuestProtocol] = {}
        self.defects: list[BaseException] = []
        self._guest_factory = guest_factory
        self._clone_disk = clone_disk
        self._jobs: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Make the site ready to run jobs. Idempotent."""
        if self._jobs is None:
            self.root.mkdir(parents=True, exist_ok=True)
            self._jobs = await asyncio.TaskGroup().__aenter__()

    async def stop(self) -> None:
        """Power every guest off, end every job and wait for it. Idempotent."""
        if self._jobs is None:
            return
        for guest in list(self.guests.values()):
            await guest.power_off(graceful=False)
        for job in list(self._running):
            job.cancel()
        jobs, self._jobs = self._jobs, None
        await jobs.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def spawn(self, job: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Run `job` as a job of the site that outlives its caller; a defect in it is logged and kept in `defects`."""
        if self._jobs is None:
            job.close()
            raise RuntimeError("the site is not running; call start() first")
        task = self._jobs.create_task(self._guarded(job, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: job.close())  # a task cancelled before its first step never awaits the job
        return task

    async def _guarded(self, job: Coroutine[object, object, None], name: str) -> None:
        try:
            await job
        except Exception as error:  # noqa: BLE001  one job's defect must not cancel the whole site through the task group
            _LOG.exception("job %s of the site failed", name)
            self.defects.append(error)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` of site time pass (scaled by `time_scale`)."""
        await asyncio.sleep(seconds * self.time_scale)

    def guest_root(self, vmid: int) -> Path:
        """The directory that is the guest's disk."""
        return self.root / "guests" / str(vmid)

    def snapshot_root(self, vmid: int, snapshot: str) -> Path:
        """Where a snapshot of the guest's disk is kept."""
        return self.root / "snapshots" / str(vmid) / snapshot

    def guest_for(self, vm: Vm) -> GuestProtocol:
        """The guest of `vm`, made at the first start."""
        guest = self.guests.get(vm.vmid)
        if guest is None:
            root = self.guest_root(vm.vmid)
            root.mkdir(parents=True, exist_ok=True)
            guest = self.guests[vm.vmid] = self._guest_factory(self, vm, root)
        return guest

    def clone_disk(self, source: int, target: int) -> None:
        """Copy the disk of VM `source` to VM `target`, as a clone leaves it."""
        self._clone_disk(self, self.guest_root(source), self.guest_root(target))

    def clone_snapshot(self, source: int, snapshot: str, target: int) -> None:
        """Copy the disk that VM `source` had at a snapshot to VM `target`."""
        self._clone_disk(self, self.snapshot_root(source, snapshot), self.guest_root(target))

    def save_disk(self, vmid: int, snapshot: str) -> None:
        """Keep the disk of a VM under the name of a snapshot; nothing if the VM has no disk yet."""
        self._replace(self.guest_root(vmid), self.snapshot_root(vmid, snapshot))

    def restore_disk(self, vmid: int, snapshot: str) -> None:
        """Make the disk of a VM what it was at a snapshot."""
        self._replace(self.snapshot_root(vmid, snapshot), self.guest_root(vmid))

    def _replace(self, source: Path, target: Path) -> None:
        if target.exists():
            shutil.rmtree(target)
        if source.exists():
            self._clone_disk(self, source, target)

    async def destroy_guest(self, vmid: int) -> None:
        """Power the guest off and remove its disk and the snapshots of it."""
        guest = self.guests.pop(vmid, None)
        if guest is not None:
            await guest.power_off(graceful=False)
        for tree in (self.guest_root(vmid), self.root / "snapshots" / str(vmid)):
            if tree.exists():
                shutil.rmtree(tree)
