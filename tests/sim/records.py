"""What outlives a simulated process: its journal and the repository."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from typing_extensions import override

from pvenix.engine.ports import Entry, Repo
from pvenix.model.names import CommitId
from tests.contract.memory_repo import MemoryRemote, MemoryRepo
from tests.sim.ports import Calls


class _CountedRepo:
    def __init__(self, inner: MemoryRepo, calls: Calls) -> None:
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        method = getattr(self._inner, name)

        async def call(*args: object, **fields: object) -> object:
            return await self._calls.make(f"git {name}", lambda: method(*args, **fields))

        return call


def counted_repo(inner: MemoryRepo, calls: Calls) -> Repo:
    """The repository as one process uses it."""
    return cast("Repo", _CountedRepo(inner, calls))


@dataclass
class SimRemote(MemoryRemote):
    """A repository to which others push as well."""

    races: int = 0
    """How many of the next pushes come second."""

    @override
    def push(self, ref: str, new: CommitId | None, expect: CommitId | None) -> bool:
        if self.races and self.reachable and ref in self.refs:
            self.races -= 1
            tip = self.refs[ref]
            files = {**self.commits[tip].files, "docs/race.md": ("100644", f"{self.clock}\n".encode())}
            self.refs[ref] = self.store(files, [tip], "Somebody <somebody@example.org>", "Come first")
        return super().push(ref, new, expect)

    def calm(self) -> None:
        """Nothing is in the way any more."""
        self.reachable, self.loss, self.races = True, None, 0
        self.refuse = lambda _ref: None


class SimJournal:
    """A journal that outlives its processes; evidence that was not yet written dies with one."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []
        self.acknowledged: list[tuple[str, str, str]] = []
        self.calls = Calls()
        self._queued: list[tuple[str, str, str, dict[str, str]]] = []

    def opened_by(self, calls: Calls) -> None:
        """Another process goes on; what the last one had queued is lost."""
        self.calls = calls
        self._queued = []

    async def intent(self, host: str, step: str, **data: str) -> None:
        await self._write(host, step, "intent", data)

    def evidence(self, host: str, step: str, **data: str) -> None:
        if not self.calls.dead:
            self._queued.append((host, step, "evidence", dict(data)))
            asyncio.get_running_loop().call_later(0.003, self._flush, self.calls)

    async def result(self, host: str, step: str, **data: str) -> None:
        await self._write(host, step, "result", data)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self.rows)

    async def _write(self, host: str, step: str, what: str, data: dict[str, str]) -> None:
        async def commit() -> None:
            self._queued.append((host, step, what, dict(data)))
            self._flush(self.calls)
            await asyncio.sleep(0.001)

        await self.calls.make(f"journal {what} {host} {step}", commit)
        self.acknowledged.append((host, step, what))

    def _flush(self, owner: Calls) -> None:
        if owner is not self.calls or owner.dead:
            return
        for host, step, what, data in self._queued:
            self.rows.append(Entry(seq=len(self.rows) + 1, host=host, step=step, what=what, data=data))
        self._queued = []
