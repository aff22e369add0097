"""The hosts of a run that go together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pvenix.engine.execution import Execution, step_id
from pvenix.engine.hostrun import HostRun
from pvenix.engine.ports import Entry
from pvenix.model.errors import LocalResource
from pvenix.model.outcome import Outcome
from pvenix.model.plan import PlayPlan

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
        self._throttles = [asyncio.Semaphore(task.throttle or len(hosts)) for task in play.tasks]
        self._ids = [step_id(number, index, task) for index, task in enumerate(play.tasks)]
        self._group = asyncio.TaskGroup()

    async def execute(self, earlier: tuple[Entry, ...]) -> None:
        """Every host's tasks; what `earlier` says was done by a process that died is not done again.

        Raises: LocalResource when the run can no longer be recorded.
        """
        try:
            async with self._group:
                for host in self.hosts:
                    self._group.create_task(self._host(host, earlier))
        except ExceptionGroup as failures:
            raise next((error for error in failures.exceptions if isinstance(error, LocalResource)), failures) from None

    def retry(self, host: str) -> None:
        """Run a host again that has ended while others are still at work, as `resume` would."""
        self._group.create_task(self._host(host, self._execution.tools.journal.entries()))

    async def _host(self, host: str, rows: tuple[Entry, ...]) -> None:
        tasks = [
            (identity, task, throttle)
            for identity, task, throttle in zip(self._ids, self._play.tasks, self._throttles, strict=True)
            if not task.run_once or host == self.hosts[0]
        ]
        own = tuple(entry for entry in rows if entry.host == host)
        async with self._execution.forks:
            run = HostRun(self._execution, host, tasks, own, fatal=self._play.any_errors_fatal)
            outcome = await run.execute()
        self._ended(host, outcome)
