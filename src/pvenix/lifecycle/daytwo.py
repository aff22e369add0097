"""What the front ends ask of hosts that live: a door to snapshots, orphans and adoption."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle import adopt, restore, snapshots
from pvenix.lifecycle.adopt import Adoption
from pvenix.lifecycle.world import World
from pvenix.model.snapshots import HostSnapshot


class DayTwo:
    """The site, and the runs of this machine."""

    def __init__(self, world: World, runs: RunStore) -> None:
        self._world = world
        self._runs = runs

    async def snapshots(self, hosts: Sequence[str]) -> AsyncIterator[HostSnapshot]:
        """The snapshots of hosts, theirs and ours, each after its parent."""
        for host in hosts:
            for each in await snapshots.host_snapshots(self._world, host):
                yield each

    async def examine(self, vmid: int, host: str, *, rename: bool) -> Adoption:
        """What adopting a VM as a host would write.

        Raises: Refused when it is somebody's, UsageError when there is no such VM.
        """
        return await adopt.examine(self._world, vmid, host, rename=rename)

    async def losses(self, host: str, snapshot: str) -> tuple[str, ...]:
        """What going back to a snapshot would cost, a line each."""
        return await restore.losses(self._world, host, snapshot)
