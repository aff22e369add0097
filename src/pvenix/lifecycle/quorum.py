"""No write to a cluster without a quorum: its configurations are read-only then, and what is begun ends half done."""

from __future__ import annotations

import asyncio
from typing import Final

from pvenix.engine.ports import Clock, Pve, Quorum
from pvenix.engine.step import Step
from pvenix.model.errors import Refused

_AGE_S: Final = 3.0


class QuorumGuard:
    """Asks a cluster whether it takes writes, once for all hosts of a run that ask within seconds."""

    def __init__(self, pve: Pve, clock: Clock) -> None:
        self._pve = pve
        self._clock = clock
        self._seen: Quorum | None = None
        self._seen_at = float("-inf")
        self._blind = False
        self._lock = asyncio.Lock()

    async def require(self, step: Step) -> None:
        """Return when writes are taken; or when the login may not ask, which is told once: Proxmox refuses by itself.

        Raises: Refused without a quorum, Unreachable when nobody answers; nothing was intended yet.
        """
        async with self._lock:
            seen = await self._read(step)
        if seen is not None and not seen.quorate:
            raise Refused(
                "the cluster has no quorum, so nothing is written",
                why=f"{seen.online} of {seen.nodes} nodes are online",
                hint=f"`pvecm status` on a node; reading goes on meanwhile, and then: pvenix resume {step.run}",
                code="PVX0545",
            )

    async def _read(self, step: Step) -> Quorum | None:
        if self._blind:
            return None
        if self._clock.monotonic() - self._seen_at > _AGE_S:
            try:
                self._seen = await self._pve.quorum()
            except Refused as error:
                if error.code != "PVX0532":
                    raise
                self._blind = True
                step.tell("whether the cluster has a quorum cannot be read (Sys.Audit on /); going on without")
                return None
            self._seen_at = self._clock.monotonic()
        return self._seen
