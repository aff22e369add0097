"""A task with `run_once`: one host of a wave does it when all have come to it, and the others wait until it has.

As ansible-core's linear strategy does: the first host of the batch that has not failed before does it, after every
host's earlier tasks, and a failure ends the run for all. What waits for a person waits on all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pvenix.engine.gate import Gate
from pvenix.engine.ports import Entry
from pvenix.model.outcome import Outcome, Status


class Once:
    """Who does the task, and how it ended."""

    def __init__(self, hosts: Sequence[str], gate: Gate, earlier: Iterable[Entry]) -> None:
        self._left = dict.fromkeys(hosts)
        self._here: set[str] = set()
        self._gate = gate
        self._end: Outcome | None = None
        for row in earlier:
            if row.what == "result" and Status(row.data["status"]).goes_on:
                self._end = Outcome(status=Status(row.data["status"]))

    async def wait(self, host: str) -> Outcome | None:
        """How another host's attempt ended; None when `host` is to do the task, or the run stops."""
        self._left.setdefault(host)
        async with self._gate.moved:
            self._here.add(host)
            self._gate.moved.notify_all()
            await self._gate.moved.wait_for(
                lambda: self._end is not None or self._is_turn_of(host) or self._gate.stops(host)
            )
        return self._end

    def _is_turn_of(self, host: str) -> bool:
        return next(iter(self._left)) == host and self._here.issuperset(self._left)

    async def ended(self, outcome: Outcome) -> None:
        """The host whose turn it was has done the task, or has come to an end with it."""
        async with self._gate.moved:
            self._end = outcome
            self._gate.moved.notify_all()

    async def leave(self, host: str) -> None:
        """`host` does nothing more: if it was to do the task, the next one is."""
        async with self._gate.moved:
            self._left.pop(host, None)
            self._gate.moved.notify_all()
