"""Readings of hosts that live."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pvenix.engine.ports import NodeState
    from pvenix.model.generation import Generation
    from pvenix.model.snapshots import HostSnapshot
    from pvenix.model.status import HostStatus


class DayTwoLike(Protocol):
    """What is read of hosts that live: a `pvenix.lifecycle.daytwo.DayTwo`."""

    def snapshots(self, hosts: Sequence[str]) -> AsyncIterator[HostSnapshot]:
        """The snapshots of hosts, each after its parent."""

    async def nodes(self) -> tuple[NodeState, ...]:
        """The nodes that a VM could be moved to."""

    async def losses(self, host: str, snapshot: str) -> tuple[str, ...]:
        """What going back to a snapshot would cost, a line each."""


class HostsPart(Protocol):
    """What hosts, and Proxmox about them, say now."""

    def status(self, hosts: Sequence[str]) -> AsyncIterator[HostStatus]:
        """Readings as they come."""

    async def generations(self, host: str) -> tuple[Generation, ...]:
        """The host's generations."""

    async def consequences(self, host: str) -> tuple[str, ...]:
        """What the destruction of the host's VM changes beside it, a line each."""

    async def day_two(self) -> DayTwoLike:
        """Snapshots and nodes, as the site is now."""
