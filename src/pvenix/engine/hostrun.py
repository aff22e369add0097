"""One host's part of a wave: its tasks in order, each looked at before it is done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pvenix.engine.attempt import attempt, outcome_of
from pvenix.engine.decisions import Decisions
from pvenix.engine.execution import Execution
from pvenix.engine.once import Once
from pvenix.engine.ports import Entry
from pvenix.engine.skipping import BY, skip
from pvenix.engine.step import Step
from pvenix.model.errors import LocalResource, LockHeld
from pvenix.model.events import Command, Progress, StepEnded, StepEvidence, StepStarted, StepWaiting
from pvenix.model.outcome import Outcome, Status
from pvenix.model.plan import Task
from pvenix.model.verbs import VERBS

_RANK = (Status.CHANGED, Status.PENDING, Status.OK, Status.SKIPPED)
"""Which status a host shows when all its steps went well: the most that happened."""
_NOTE_MOST = 300
"""Characters of a piece of evidence that an event shows; longer ones, such as files, are in the journal alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveTask:
    """A task as the hosts of one wave share it."""

    id: str
    task: Task
    throttle: asyncio.Semaphore
    once: Once | None = None
    """For a task that one host does for all."""


class HostRun:
    """Executes the tasks of one host."""

    def __init__(
        self,
        execution: Execution,
        host: str,
        tasks: Sequence[WaveTask],
        earlier: tuple[Entry, ...],
        *,
        fatal: bool,
    ) -> None:
        self._execution = execution
        self._host = host
        self._tasks = tasks
        self._earlier = earlier
        self._fatal = fatal
        self._facts = execution.facts[host]
        self._skipped: list[str] = []
        """The verbs that a person has let it go on without."""

    async def execute(self) -> Outcome:
        """The host's end: its first failure, or the most that its steps did."""
        try:
            with self._lock():
                return await self._steps()
        except (LockHeld, LocalResource) as error:
            if isinstance(error, LocalResource):
                await self._execution.gate.stop()
            return outcome_of(error)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        if self._execution.plan.check:
            yield
            return
        execution, now = self._execution, self._execution.tools.clock.utc()
        operator = execution.plan.operator
        with execution.tools.locks.hold(self._host, owner=execution.run.run, since=now, operator=operator):
            yield

    async def _steps(self) -> Outcome:
        outcomes = []
        for each in self._tasks:
            if self._execution.gate.stops(self._host):
                return Outcome(status=Status.CANCELLED, summary=f"stopped before {each.task.verb}")
            outcome = self._ended_earlier(each.id)
            if outcome is None and each.once is not None:
                elsewhere = await self._elsewhere(each.once)
                if elsewhere is not None and elsewhere.status.goes_on:
                    continue
                outcome = elsewhere
            outcome = outcome or await self._turn(each)
            outcomes.append(outcome)
            if not outcome.status.goes_on:
                return outcome
        return self._told(best(outcomes))

    def _told(self, outcome: Outcome) -> Outcome:
        """The end with what was left out: skipped is not ok."""
        if not self._skipped:
            return outcome
        left_out = f"without {', '.join(self._skipped)}, skipped by a person"
        return replace(outcome, summary=f"{outcome.summary}; {left_out}" if outcome.summary else left_out)

    async def _elsewhere(self, once: Once) -> Outcome | None:
        """As `Once.wait`; another host takes this one's place among the forks meanwhile, or the last would never come."""
        self._execution.forks.release()
        outcome = await once.wait(self._host)
        await self._execution.forks.acquire()
        return outcome

    async def _turn(self, each: WaveTask) -> Outcome:
        """The end of a task that is this host's to do."""
        by = await self._wait_for_turn(each.id, each.task)
        if by and not self._execution.gate.stops(self._host):
            return await self._skip(each, by)
        async with each.throttle, self._execution.slots[VERBS[each.task.verb].kind]:
            outcome = await self._step(each.id, each.task)
        for_all = self._fatal or each.once is not None
        if outcome.status is Status.LOCAL or (for_all and outcome.status.counts_as_failed):
            await self._execution.gate.stop()
        elif each.once is not None and outcome.status is not Status.CANCELLED:
            await each.once.ended(outcome)
        return outcome

    async def _skip(self, each: WaveTask, by: str) -> Outcome:
        """The end of a step that a person left out at its gate."""
        try:
            execution = self._execution
            outcome = await skip(execution.tools.journal, execution.narrator, self._host, each.id, by)
        except LocalResource as error:
            await self._execution.gate.stop()
            return outcome_of(error)
        self._skipped.append(each.task.verb)
        return outcome

    def _ended_earlier(self, step_id: str) -> Outcome | None:
        """How an earlier process of this run ended the step well, its facts taken over; None when it has to be done."""
        for entry in reversed(self._earlier):
            if entry.step == step_id and entry.what == "result":
                status = Status(entry.data["status"])
                if not status.goes_on:
                    return None
                self._facts |= {key[5:]: value for key, value in entry.data.items() if key.startswith("fact.")}
                if BY in entry.data:
                    self._skipped.append(step_id.rpartition(".")[2])
                return Outcome(status=status, summary=entry.data.get("summary", ""))
        return None

    async def _step(self, step_id: str, task: Task) -> Outcome:
        execution, host = self._execution, self._host
        if execution.gate.stops(host):
            return Outcome(status=Status.CANCELLED, summary=f"stopped before {task.verb}")
        log_at, name = execution.narrator.log(host).begin(step_id), task.name or task.verb
        limit_s = VERBS[task.verb].timeout_s
        execution.narrator.emit(
            StepStarted, host=host, step=step_id, verb=task.verb, name=name, log_at=log_at, limit_s=limit_s
        )
        began, before = execution.tools.clock.monotonic(), dict(self._facts)
        step = self._make_step(step_id, task)
        outcome = await attempt(execution.tools.verbs[task.verb], step)
        self._facts |= outcome.facts
        step.note({key: value for key, value in self._facts.items() if before.get(key) != value})
        execution.narrator.emit(
            StepEnded,
            host=host,
            step=step_id,
            verb=task.verb,
            status=outcome.status.value,
            summary=outcome.summary,
            hint=outcome.hint,
            evidence=outcome.evidence,
            seconds=execution.tools.clock.monotonic() - began,
        )
        return outcome

    async def _wait_for_turn(self, step_id: str, task: Task) -> str:
        """Wait until the step may begin; who has skipped it meanwhile, empty when nobody has."""
        gate, narrator, by = self._execution.gate, self._execution.narrator, ""
        if gate.paused:
            narrator.emit(StepWaiting, host=self._host, step=step_id, verb=task.verb, reason="the run is paused")
            by = await gate.unpaused(self._host, step_id)
        if self._execution.plan.step and not by and not gate.stops(self._host):
            narrator.emit(StepWaiting, host=self._host, step=step_id, verb=task.verb, reason="waiting to go on")
            by = await gate.next_turn(self._host, step_id)
        return by

    def _make_step(self, step_id: str, task: Task) -> Step:
        execution, host = self._execution, self._host
        log = execution.narrator.log(host)

        def show(channel: str, text: str, writes: bool) -> None:  # noqa: FBT001 - the shape of Step.show
            execution.narrator.emit(Command, host=host, step=step_id, channel=channel, text=text, writes=writes)
            log.line(f"$ {text}" if channel == "ssh" else f"{channel}> {text}")

        known: dict[str, str] = {}
        for entry in self._earlier:
            if entry.step == step_id and entry.what in ("intent", "evidence"):
                known |= entry.data

        def note(data: Mapping[str, str]) -> None:
            short = {key: value for key, value in data.items() if value and len(value) <= _NOTE_MOST}
            if short:
                execution.narrator.emit(StepEvidence, host=host, step=step_id, data=short)

        return Step(
            run=execution.run.run,
            host=host,
            id=step_id,
            verb=task.verb,
            args={**task.args},
            check=execution.plan.check,
            facts=self._facts,
            known=known,
            journal=execution.tools.journal,
            tell=lambda text: execution.narrator.emit(Progress, host=host, step=step_id, text=text),
            show=show,
            output=log.write,
            note=note,
            named=execution.plan.named,
            decisions=Decisions(execution.run.path).all,
        )


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """Of outcomes that all went well, the last of those in which most happened."""
    for status in _RANK:
        for outcome in reversed(outcomes):
            if outcome.status is status:
                return outcome
    return Outcome(status=Status.OK, summary="nothing to do")
