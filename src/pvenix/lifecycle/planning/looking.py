"""Reads the VMs of a plan: each once, several at a time, and none on a node that does not answer."""

from __future__ import annotations

import asyncio
import copy

from typing_extensions import override

from pvenix.engine.ports import Clock, Pve, Quorum, VmConfig, VmPending
from pvenix.lifecycle.ownership import OwnVms
from pvenix.lifecycle.survey import Ledger, Survey
from pvenix.lifecycle.world import World
from pvenix.model.errors import Unreachable
from pvenix.model.names import NodeName, Vmid

_AT_ONCE = 8


class Looker:
    """The configurations that a plan is made from."""

    def __init__(self, pve: Pve, survey: Survey) -> None:
        self._pve = pve
        self._survey = survey
        self._seen: dict[tuple[NodeName, Vmid], VmPending] = {}
        self._silent: dict[NodeName, Unreachable] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._locks: dict[Vmid, asyncio.Lock] = {}

    def seen(self, node: NodeName, vmid: Vmid) -> VmPending:
        """What `config` read of a VM."""
        return self._seen[node, vmid]

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The VM's configuration in effect, read at most once; None when it is not on that node.

        Raises: Unreachable when the node is down or did not answer an earlier question.
        """
        async with self._locks.setdefault(vmid, asyncio.Lock()):
            known = self._seen.get((node, vmid))
            if known is None:
                known = await self._read(node, vmid)
            if known is None:
                return None
            self._seen[node, vmid] = known
            return known.config

    async def _read(self, node: NodeName, vmid: Vmid) -> VmPending | None:
        async with self._turns:
            if node in self._silent or not await self._online(node):
                raise self._silent.setdefault(node, _down(node))
            try:
                return await self._pve.pending(node, vmid)
            except Unreachable as error:
                self._silent[node] = error
                raise

    async def _online(self, node: NodeName) -> bool:
        """False for a node that the cluster lists as down: asking it only takes time."""
        nodes = (await self._survey.resources()).nodes
        return all(one.online for one in nodes if one.name == node)


class Still(Survey):
    """Lists that are read once. What is planned is planned without quorum too: only an apply needs one."""

    def __init__(self, pve: Pve, clock: Clock) -> None:
        super().__init__(pve, clock)
        self.hold()

    @override
    async def quorum(self) -> Quorum:
        return Quorum(quorate=True, nodes=0, online=0)


def still_picture(world: World) -> tuple[World, Looker]:
    """The same site with nothing read, reserved or found yet, whose lists are read once; and what reads its VMs."""
    picture = copy.copy(world)
    picture.survey, picture.ledger = Still(world.pve, world.clock), Ledger()
    looker = Looker(picture.pve, picture.survey)
    picture.vms = OwnVms(
        fleet=picture.fleet,
        pve=picture.pve,
        survey=picture.survey,
        clock=picture.clock,
        trust=picture.trust,
        read=looker.config,
    )
    return picture, looker


def _down(node: NodeName) -> Unreachable:
    return Unreachable(
        f"{node} is down", why="the cluster lists it as offline, so its VMs cannot be read", code="PVX0560"
    )
