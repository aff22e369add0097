"""Hosts that are about to be added, and what their way into the fleet has left behind."""

from __future__ import annotations

from typing import Protocol

from pvenix.engine.runfiles import RunDir
from pvenix.model.newhost import Added, NewHost, Placing, Trial
from pvenix.model.sofar import SoFar


class NewHostsPart(Protocol):
    """From a form to a line in the inventory, and back."""

    def try_host(self, new: NewHost) -> Trial:
        """What would be wrong with a new host and what the layers give it; for a thread, writes nothing."""

    async def place_host(self, new: NewHost) -> Placing:
        """Where it would go. Raises: Unreachable."""

    async def add_host(self, new: NewHost) -> Added:
        """Write its line. Raises: UsageError, InvalidInput, LocalResource, ReadOnly."""

    def so_far(self, run: RunDir, host: str) -> SoFar:
        """What a run has made of a host so far; for a thread."""

    async def skip(self, run: RunDir, host: str, step: str = "") -> str:
        """Let a host of a run that nobody executes go on without a step. Raises: UsageError when it may not."""
