"""How many tasks Proxmox is given at once: by node, by storage that is cloned to, by node that disks travel to or from.

Proxmox queues nothing: it runs what it is told, and a clone that waits too long for the lock of a storage fails (F04).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from pvenix.model.site import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a task occupies."""

    node: str
    """Where the task runs."""
    storage: str = ""
    """What a clone is written to."""
    transfer: Sequence[str] = ()
    """Nodes between which disks travel."""

    def slots(self, limits: Limits) -> list[tuple[str, str, int]]:
        """Kind, name and limit of each slot, in the order in which they are taken: the same for all, so none waits in a circle."""
        storages = [("storage", self.storage, limits.clones_per_storage)] if self.storage else []
        transfers = [("transfer", node, limits.transfers_per_node) for node in sorted(set(self.transfer))]
        return [*storages, *transfers, ("node", self.node, limits.tasks_per_node)]


@dataclass(slots=True)
class Slots:
    """The slots of a site; one for all hosts of a run."""

    _held: dict[tuple[str, str], asyncio.Semaphore] = field(default_factory=dict)

    @asynccontextmanager
    async def hold(self, use: Use, limits: Limits, tell: Callable[[str], None]) -> AsyncIterator[None]:
        """Hold what `use` occupies; `tell` says when that has to be waited for."""
        async with AsyncExitStack() as stack:
            for kind, name, limit in use.slots(limits):
                semaphore = self._held.setdefault((kind, name), asyncio.Semaphore(max(1, limit)))
                if semaphore.locked():
                    tell(f"waiting for a slot on {name}")
                await stack.enter_async_context(semaphore)
            yield
