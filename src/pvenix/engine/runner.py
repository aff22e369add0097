"""Executes a plan: plays, waves, hosts, steps. A host's failure is an `Outcome`; the others go on.

`RunPlan` -> waves of hosts -> for each host its tasks in order -> probe, intent, apply, result.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pvenix.engine.hostrun import HostRun
from pvenix.engine.locks import HostLocks
from pvenix.engine.narrator import Narrator
from pvenix.engine.ports import Clock, Entry, Journal
from pvenix.engine.runfiles import Request, RunDir
from pvenix.engine.step import Verb
from pvenix.model.errors import ExitCode, worst
from pvenix.model.events import HostEnded, RunEnded, RunStarted, WaveStarted
from pvenix.model.outcome import Outcome, Status
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.verbs import Kind

LIMITS = {Kind.PVE: 16, Kind.CLONE: 4, Kind.SSH: 64, Kind.BUILD: 64, Kind.GIT: 1}
"""How many steps of a kind run at once; Git pushes go one by one, as they race for the same branch."""
_REQUEST_INTERVAL_S = 0.2


@dataclass(slots=True, kw_only=True)
class Gate:
    """What holds steps back: pause, stop, and `continue` in step mode."""

    stopped: bool = False
    cancelled_hosts: set[str] = field(default_factory=set)
    running: asyncio.Event = field(default_factory=asyncio.Event)
    turns: asyncio.Condition = field(default_factory=asyncio.Condition)
    turn: int = 0

    def stops(self, host: str) -> bool:
        """True when `host` must start no further step."""
        return self.stopped or host in self.cancelled_hosts

    async def release(self) -> None:
        """Let every step that waits for its turn go on."""
        self.running.set()
        async with self.turns:
            self.turn += 1
            self.turns.notify_all()

    async def next_turn(self, host: str) -> None:
        """Wait for the next `continue`, or for a stop."""
        async with self.turns:
            turn = self.turn
            await self.turns.wait_for(lambda: self.turn > turn or self.stops(host))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the runner works with."""

    verbs: Mapping[str, Verb]
    journal: Journal
    clock: Clock
    locks: HostLocks
    operator: str = ""


class Runner:
    """One execution of one run's plan."""

    def __init__(self, plan: RunPlan, run: RunDir, tools: Tools, narrator: Narrator) -> None:
        self.plan = plan
        self.run = run
        self.tools = tools
        self.narrator = narrator
        self.gate = Gate()
        self.gate.running.set()
        self.slots = {kind: asyncio.Semaphore(limit) for kind, limit in LIMITS.items()}
        self.forks = asyncio.Semaphore(max(1, plan.forks))
        self.ends: dict[str, Outcome] = {}
        self._retries: Callable[[str], None] = lambda _host: None

    async def execute(self, *, resume: bool) -> ExitCode:
        """Run the plan to its end; returns the run's exit code.

        Raises: LocalResource when the run can no longer be recorded.
        """
        began = self.tools.clock.monotonic()
        earlier = self.tools.journal.entries() if resume else ()
        self._announce(resume=resume)
        requests = asyncio.ensure_future(self._watch_requests())  # noqa: TID251 - ends with this function, see finally
        try:
            for index, play in enumerate(self.plan.plays):
                if not await self._play(index, play, earlier):
                    break
        finally:
            requests.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await requests
        code = worst([outcome.status.exit_code for outcome in self.ends.values()])
        counts = Counter(outcome.status.value for outcome in self.ends.values())
        self.narrator.emit(
            RunEnded, exit_code=int(code), counts=dict(counts), seconds=self.tools.clock.monotonic() - began
        )
        return code

    def _announce(self, *, resume: bool) -> None:
        steps = tuple(
            step_id(index, number, task)
            for index, play in enumerate(self.plan.plays)
            for number, task in enumerate(play.tasks)
        )
        self.narrator.emit(
            RunStarted, title=self.plan.title, hosts=self.plan.hosts, steps=steps, resumed=resume, check=self.plan.check
        )

    async def _play(self, index: int, play: PlayPlan, earlier: tuple[Entry, ...]) -> bool:
        """Run one play; False when the run must not go on to the next."""
        for number, wave in enumerate(play.waves, start=1):
            hosts = tuple(host for host in wave if host not in self.ends or self.ends[host].status.goes_on)
            self.narrator.emit(WaveStarted, play=play.name, number=number, of=len(play.waves), hosts=hosts)
            await self._wave(index, play, hosts, earlier)
            failed = sum(1 for host in wave if host in self.ends and self.ends[host].status.counts_as_failed)
            fatal = failed and play.any_errors_fatal
            if fatal or (wave and failed * 100 / len(wave) > play.max_fail_percentage) or self.gate.stopped:
                return self._stop_rest(play, number)
        return True

    def _stop_rest(self, play: PlayPlan, number: int) -> bool:
        reason = "cancelled" if self.gate.stopped else "not started: too many hosts of an earlier wave failed"
        for wave in play.waves[number:]:
            for host in wave:
                if host not in self.ends:
                    self._end(host, Outcome(status=Status.CANCELLED, summary=reason))
        return False

    async def _wave(self, index: int, play: PlayPlan, hosts: tuple[str, ...], earlier: tuple[Entry, ...]) -> None:
        throttles = [asyncio.Semaphore(task.throttle or len(hosts) or 1) for task in play.tasks]
        first = hosts[0] if hosts else ""

        async def one(host: str) -> None:
            tasks = [
                (step_id(index, number, task), task, throttles[number])
                for number, task in enumerate(play.tasks)
                if not task.run_once or host == first
            ]
            rows = tuple(entry for entry in earlier if entry.host == host)
            async with self.forks:
                outcome = await HostRun(self, host, tasks, rows, fatal=play.any_errors_fatal).execute()
            self._end(host, outcome)

        async with asyncio.TaskGroup() as group:
            self._retries = lambda host: self._retry(group, host, one)
            for host in hosts:
                group.create_task(one(host))
        self._retries = lambda _host: None

    def _retry(self, group: asyncio.TaskGroup, host: str, one: Callable[[str], object]) -> None:
        if host in self.ends and self.ends[host].status.counts_as_failed and not self.gate.stops(host):
            del self.ends[host]
            group.create_task(one(host))  # type: ignore[arg-type]

    def _end(self, host: str, outcome: Outcome) -> None:
        self.ends[host] = outcome
        self.narrator.emit(HostEnded, host=host, status=outcome.status.value, summary=outcome.summary)

    async def _watch_requests(self) -> None:
        while True:
            for request in self.run.take_requests():
                await self.take(request)
            await asyncio.sleep(_REQUEST_INTERVAL_S)

    async def take(self, request: Request) -> None:
        """Do what a front end asks: cancel, pause, continue or retry."""
        if request.kind == "pause":
            self.gate.running.clear()
        elif request.kind == "retry":
            for host in [request.host] if request.host else list(self.ends):
                self._retries(host)
        elif request.kind == "continue":
            await self.gate.release()
        elif request.host:
            self.gate.cancelled_hosts.add(request.host)
            await self.gate.release()
        else:
            self.gate.stopped = True
            await self.gate.release()


def step_id(play: int, number: int, task: Task) -> str:
    """The name of a task within its run, such as `0.3.boot`."""
    return f"{play}.{number}.{task.verb}"
