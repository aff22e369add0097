"""The lock files of the VMs, one per node and VM (source: pve-guest-common AbstractConfig.pm lock_config_full and lock_config_shared).

They are the second layer beside the `lock` of a configuration: whoever changes a VM holds its file, others wait and give up.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.errors import PveError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pvenix_lab.site.pve.cluster import Cluster

WAIT_S = 10.0
"""How long a call or a task waits for the file (measured on 8.4.5)."""
CLONE_WAIT_S = 1.0
"""How long a clone, a creation and a template wait."""
_POLL_S = 0.05


@dataclass(slots=True, kw_only=True)
class FileLock:
    """Who holds one file: one writer, or any number of readers. A fault may hold it too."""

    writer: bool = False
    readers: int = 0


@asynccontextmanager
async def held(
    cluster: Cluster, node: str, vmid: int, *, shared: bool = False, wait_s: float = WAIT_S
) -> AsyncIterator[None]:
    """Hold the lock file of a VM.

    Raises:
        PveError: somebody else holds it for longer than `wait_s` seconds.
    """
    lock = cluster.locks.setdefault((node, vmid), FileLock())
    await _wait(lock, vmid, shared=shared, wait_s=wait_s)
    if shared:
        lock.readers += 1
    else:
        lock.writer = True
    try:
        yield
    finally:
        if shared:
            lock.readers -= 1
        else:
            lock.writer = False


async def _wait(lock: FileLock, vmid: int, *, shared: bool, wait_s: float) -> None:
    if not lock.writer and (shared or not lock.readers):
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while lock.writer or (lock.readers and not shared):
        if loop.time() >= deadline:
            raise PveError(f"can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout")
        await asyncio.sleep(_POLL_S)
