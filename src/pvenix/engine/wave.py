"""The hosts of a run that go together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pvenix.engine.execution import Execution
from pvenix.engine.hostrun import HostRun, WaveTask
from pvenix.engine.once import Once
from pvenix.engine.ports import Entry
from pvenix.engine.stepwords import step_id
from pvenix.model.errors import LocalResource
from pvenix.model.outcome import Outcome
from pvenix.model.plan import PlayPlan, Task

Ended = Callable[[str, Outcome], None]


class Wave:
    """One wave of one play; `ended` is told how each host's part of it ends."""

    def __init__(
        self, execution: Execution, number: int, play: PlayPlan, hosts: tuple[str, ...], *, ended: Ended
    ) -> None:
        self.hosts = hosts
        self._execution = execution
        self._play = play
        self._ended = ended
        self._number = number
        self._tasks: list[WaveTask] = []
        self._at_work = 0
        self._failed: set[str] = set()
        self._group = asyncio.TaskGroup()

    async def execute(self, earlier: tuple[Entry, ...]) -> None:
        """Every host's tasks; what `earlier` says was done by a process that died is not done again.

        Raises: LocalResource when the run can no longer be recorded.
        """
        self._tasks = [self._shared(index, task, earlier) for index, task in enumerate(self._play.tasks)]
        try:
            async with self._group:
                for host in self.hosts:
                    self._start(host, earlier)
        except ExceptionGroup as failures:
            raise next((error for error in failures.exceptions if isinstance(error, LocalResource)), failures) from None

    def _shared(self, index: int, task: Task, earlier: tuple[Entry, ...]) -> WaveTask:
        identity = step_id(self._number, index, task)
        rows = [row for row in earlier if row.step == identity and row.host in self.hosts]
        return WaveTask(
            id=identity,
            task=task,
            throttle=asyncio.Semaphore(task.throttle or len(self.hosts)),
            once=Once(self.hosts, self._execution.gate, rows) if task.run_once else None,
        )

    def over(self, host: str) -> bool:
        """True when `host` cannot be run again: it is of another wave, or every host of this one has ended."""
        return host not in self.hosts or not self._at_work

    def retry(self, host: str) -> None:
        """Run a host again that has ended while others are still at work, as `resume` would."""
        self._start(host, self._execution.tools.journal.entries())

    def _start(self, host: str, rows: tuple[Entry, ...]) -> None:
        self._at_work += 1
        self._group.create_task(self._host(host, rows))

    async def _host(self, host: str, rows: tuple[Entry, ...]) -> None:
        own = tuple(entry for entry in rows if entry.host == host)
        async with self._execution.forks:
            outcome = await HostRun(
                self._execution, host, self._tasks, own, fatal=self._play.any_errors_fatal
            ).execute()
        for each in self._tasks:
            if each.once is not None:
                await each.once.leave(host)
        self._ended(host, outcome)
        self._at_work -= 1
        self._failed.discard(host)
        if outcome.status.counts_as_failed:
            self._failed.add(host)
            if self._play.stops_after(len(self._failed), of=len(self.hosts)):
                await self._execution.gate.stop()
