"""Executes a plan: plays, waves, hosts, steps. A host's failure is an `Outcome`; the others go on.

`RunPlan` -> waves of hosts -> for each host its tasks in order -> probe, intent, apply, result.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Collection
from typing import assert_never

from pvenix.engine.decisions import waiting
from pvenix.engine.execution import Execution, Tools
from pvenix.engine.hostrun import best
from pvenix.engine.narrator import Narrator
from pvenix.engine.ports import Entry
from pvenix.engine.requests import Ask, Request
from pvenix.engine.runfiles import RunDir
from pvenix.engine.skipping import refusal, skip
from pvenix.engine.stepwords import step_id
from pvenix.engine.wave import Wave
from pvenix.model.errors import ExitCode, LocalResource, worst
from pvenix.model.events import HostEnded, Progress, RunEnded, RunStarted, WaveStarted
from pvenix.model.outcome import Outcome, Status, Waits
from pvenix.model.plan import PlayPlan, RunPlan

_REQUEST_INTERVAL_S = 0.2


class Runner:
    """One execution of one run's plan."""

    def __init__(self, plan: RunPlan, run: RunDir, tools: Tools, narrator: Narrator) -> None:
        self.plan = plan
        self.run = run
        self.tools = tools
        self.narrator = narrator
        self.execution = Execution(plan=plan, run=run, tools=tools, narrator=narrator)
        self.gate = self.execution.gate
        self.ends: dict[str, Outcome] = {}
        self._play_at = 0
        """The play that is at work, from 0."""
        self._last_play = {host: index for index, play in enumerate(plan.plays) for wave in play.waves for host in wave}
        self._wave: Wave | None = None
        """The wave that is at work."""

    async def execute(self, *, resume: bool, only: Collection[str] = ()) -> ExitCode:
        """Run the plan to its end; returns the run's exit code.

        With `only`, of the hosts that ended otherwise than well only these are tried again.
        Raises: LocalResource when the run can no longer be recorded.
        """
        began = self.tools.clock.monotonic()
        earlier = self.tools.journal.entries() if resume else ()
        if resume:
            self.run.take_requests()  # they were meant for the process that died
        self._announce(resume=resume)
        if only:
            self._keep_ends(only)
        try:
            async with asyncio.TaskGroup() as group:
                requests = group.create_task(self._watch_requests())
                await self._plays(earlier)
                requests.cancel()
        except ExceptionGroup as failures:
            raise next((error for error in failures.exceptions if isinstance(error, LocalResource)), failures) from None
        code = worst([outcome.exit_code for outcome in self.ends.values()])
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
            RunStarted,
            title=self.plan.title,
            hosts=self.plan.hosts,
            steps=steps,
            pid=os.getpid(),
            resumed=resume,
            check=self.plan.check,
        )

    def _keep_ends(self, only: Collection[str]) -> None:
        ended = {event.host: event for event in self.run.events()[0] if isinstance(event, HostEnded)}
        asked = {each.host for each in waiting(self.tools.journal.entries())}
        for host, event in ended.items():
            status = Status(event.status)
            if host not in only and not status.goes_on:
                waits = Waits.APPROVAL if host in asked else Waits.REVIEW
                self._end(host, Outcome(status=status, summary=event.summary, waits=waits))

    async def _plays(self, earlier: tuple[Entry, ...]) -> None:
        for index, play in enumerate(self.plan.plays):
            if not await self._play(index, play, earlier):
                return

    async def _play(self, index: int, play: PlayPlan, earlier: tuple[Entry, ...]) -> bool:
        """Run one play; False when the run must not go on to the next."""
        self._play_at = index
        for number, wave in enumerate(play.waves, start=1):
            hosts = tuple(host for host in wave if host not in self.ends or self.ends[host].status.goes_on)
            if not hosts:
                continue
            self.narrator.emit(WaveStarted, play=play.name, number=number, of=len(play.waves), hosts=hosts)
            self._wave = Wave(self.execution, index, play, hosts, ended=self._end)
            await self._wave.execute(earlier)
            self._wave = None
            # A host that an earlier play lost is not in this wave any more, so it does not count a second time.
            failed = sum(1 for host in hosts if host in self.ends and self.ends[host].status.counts_as_failed)
            if play.stops_after(failed, of=len(hosts)):
                return self._stop_rest(index, number, "not started: too many hosts of an earlier wave failed")
            if self.gate.stopped:
                return self._stop_rest(index, number, "cancelled")
        return True

    def _stop_rest(self, index: int, number: int, reason: str) -> bool:
        """End every host that a later wave or play would have worked on; always False."""
        later = [
            *self.plan.plays[index].waves[number:],
            *(wave for play in self.plan.plays[index + 1 :] for wave in play.waves),
        ]
        for host in dict.fromkeys(host for wave in later for host in wave):
            if host not in self.ends or self.ends[host].status.goes_on:
                self._end(host, Outcome(status=Status.CANCELLED, summary=reason))
        return False

    def _end(self, host: str, outcome: Outcome) -> None:
        """Note how a host's part of a play ended; a host of several plays shows the most that happened.

        It is told of once the host is through with the run: what a later play does to it nobody has seen yet.
        """
        before = self.ends.get(host)
        if before is not None and before.status.goes_on and outcome.status.goes_on:
            outcome = best((before, outcome))
        self.ends[host] = outcome
        if outcome.status.goes_on and self._last_play.get(host, 0) > self._play_at:
            return
        self.narrator.emit(HostEnded, host=host, status=outcome.status.value, summary=outcome.summary)

    async def _watch_requests(self) -> None:
        while True:
            if (
                not self.run.path.is_dir()
            ):  # a throw-away site took its runs along: nobody can ask for anything any more
                await self.gate.stop()
            for request in self.run.take_requests():
                await self.take(request)
            await asyncio.sleep(_REQUEST_INTERVAL_S)

    async def take(self, request: Request) -> None:
        """Do what a front end asks: cancel, pause, continue, retry or skip."""
        match request.kind:
            case Ask.PAUSE:
                self.gate.paused = True
            case Ask.RETRY:
                for host in [request.host] if request.host else list(self.ends):
                    self._retry(host, asked=bool(request.host))
            case Ask.SKIP:
                await self._skip(request)
            case Ask.CONTINUE:
                await self.gate.go_on()
            case Ask.CANCEL:
                await self.gate.stop(request.host)
            case _:
                assert_never(request.kind)

    def _retry(self, host: str, *, asked: bool) -> None:
        """Run a host again that failed in the wave that is at work; tell why another one is not, if it was asked for."""
        if not asked and not self.ends[host].status.counts_as_failed:
            return
        if why := self._not_again(host, "resume"):
            self.narrator.emit(Progress, host=host, text=f"not tried again: {why}")
        else:
            self._again(host)

    def _not_again(self, host: str, word: str) -> str:
        """Why nothing more can be done of a host in this process, empty when it can; `word` does it later."""
        end, later = self.ends.get(host), f"; when the run has ended: pvenix {word} {self.run.run}"
        if end is None or not (end.status.counts_as_failed or end.status is Status.WAITING):
            return "it has not ended" if end is None else f"it ended {end.status}"
        if self.gate.stops(host):
            return f"the run starts no further step{later}"
        return f"its wave is over{later}" if self._wave is None or self._wave.over(host) else ""

    def _again(self, host: str) -> None:
        del self.ends[host]
        if self._wave is not None:
            self._wave.retry(host)

    async def _skip(self, request: Request) -> None:
        """Let a host go on without the step at which it waits or failed, or tell why not."""
        host, step = request.host, request.step
        why = refusal(self.plan, host, step, self.tools.journal.entries())
        if not why and await self.gate.skip(host, step, request.by):
            return
        if why := why or self._not_again(host, "runs skip"):
            self.narrator.emit(Progress, host=host, text=f"{step} is not skipped: {why}")
            return
        await skip(self.tools.journal, self.narrator, host, step, request.by)
        if not self._not_again(host, "resume"):
            self._again(host)
