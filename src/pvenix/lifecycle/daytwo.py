"""What the front ends ask of hosts that live: a door to snapshots, orphans and adoption."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pvenix.engine.ports import NodeState
from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle import adopt, restore, snapshots
from pvenix.lifecycle.adopt import Adoption
from pvenix.lifecycle.orphans import orphans as find_orphans
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused
from pvenix.model.names import host_name
from pvenix.model.orphans import OrphanKind, Orphans
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

    async def nodes(self) -> tuple[NodeState, ...]:
        """The nodes that a VM could be moved to."""
        return (await self._world.survey.resources()).nodes

    async def examine(self, vmid: int, host: str, *, rename: bool) -> Adoption:
        """What adopting a VM as a host would write.

        Raises: Refused when it is somebody's, UsageError when there is no such VM.
        """
        return await adopt.examine(self._world, vmid, host, rename=rename)

    async def orphans(self) -> Orphans:
        """What is nobody's, as far as the token may see."""
        return await find_orphans(self._world, self._runs)

    async def host_of_orphan(self, vmid: int) -> str:
        """The host that an orphaned VM was made for.

        Raises: Refused when it is none of ours, or a host's own.
        """
        for each in (await self.orphans()).found:
            if each.vmid == vmid and each.kind in (OrphanKind.VANISHED, OrphanKind.DOUBLE, OrphanKind.RUN):
                return host_name(each.host)
        raise Refused(
            f"VM {vmid} is no orphan of this fleet",
            why="pvenix destroys only what has its marker and is no host's",
            hint="pvenix orphans",
            code="PVX0938",
        )

    async def losses(self, host: str, snapshot: str) -> tuple[str, ...]:
        """What going back to a snapshot would cost, a line each."""
        return await restore.losses(self._world, host, snapshot)
