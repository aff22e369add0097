"""A run in memory with real run files: verbs are small classes, time is virtual, requests are real request files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from pvenix.engine.execution import Tools
from pvenix.engine.journal import SqliteJournal
from pvenix.engine.locks import HostLocks
from pvenix.engine.narrator import Narrator
from pvenix.engine.ports import Entry, Journal
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.runner import Runner
from pvenix.engine.step import Step, Verb
from pvenix.model.errors import ExitCode
from pvenix.model.events import Command, Event, HostEnded, Progress, StepEnded, StepStarted, StepWaiting
from pvenix.model.outcome import Outcome, Probe, Status, needed
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.verbs import VERBS
from tests.sim.virtual import LoopClock, VirtualLoop, run_virtual

Action = Callable[[Step], Awaitable[Outcome]]
CHANGED = Outcome(status=Status.CHANGED, summary="did it")
FAILED = Outcome(status=Status.FAILED, summary="broke")


class MemoryJournal:
    """A Journal whose rows outlive the run that wrote them, as a file's do."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []

    async def intent(self, host: str, step: str, **data: str) -> None:
        self._add(host, step, "intent", data)

    def evidence(self, host: str, step: str, **data: str) -> None:
        self._add(host, step, "evidence", data)

    async def result(self, host: str, step: str, **data: str) -> None:
        self._add(host, step, "result", data)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self.rows)

    def _add(self, host: str, step: str, what: str, data: dict[str, str]) -> None:
        self.rows.append(Entry(seq=len(self.rows) + 1, host=host, step=step, what=what, data=dict(data)))


class StillJournal(SqliteJournal):
    """The real journal, holding virtual time still while its thread writes."""

    @override
    async def _append(self, host: str, step: str, what: str, data: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with loop.holding():
            await super()._append(host, step, what, data)


async def _needed(_step: Step) -> Probe:
    return needed("work to do")


@dataclass
class FakeVerb:
    """A verb that does what each host is told to; hosts not named change."""

    actions: Mapping[str, Action | Outcome] = field(default_factory=dict)
    probe_with: Callable[[Step], Awaitable[Probe]] = _needed
    texts: tuple[tuple[str, str], ...] = (("ssh", "touch /done"),)
    applied: list[str] = field(default_factory=list)
    probed: list[str] = field(default_factory=list)
    steps: dict[str, Step] = field(default_factory=dict)
    seconds: float = 1.0
    running: int = 0
    most_at_once: int = 0

    async def probe(self, step: Step) -> Probe:
        self.probed.append(step.host)
        return await self.probe_with(step)

    async def apply(self, step: Step) -> Outcome:
        self.applied.append(step.host)
        self.steps[step.host] = step
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            action = self.actions.get(step.host, CHANGED)
            if isinstance(action, Outcome):
                await asyncio.sleep(self.seconds)
                return action
            return await action(step)
        finally:
            self.running -= 1

    async def commands(self, step: Step) -> tuple[tuple[str, str], ...]:
        return self.texts


def raising(error: Exception) -> Action:
    """An action that raises."""

    async def action(_step: Step) -> Outcome:
        raise error

    return action


def play(*hosts: str, verbs: tuple[str, ...] = ("build",), serial: int = 0, **fields: object) -> PlayPlan:
    """A play of one verb a task, its hosts in waves of `serial`."""
    size = serial or len(hosts) or 1
    waves = tuple(hosts[start : start + size] for start in range(0, len(hosts), size))
    values: dict[str, object] = {"name": "play", "waves": waves, "tasks": tuple(Task(verb=verb) for verb in verbs)}
    return PlayPlan(**{**values, **fields})  # type: ignore[arg-type]


@dataclass
class Bench:
    """One run directory and what was seen of its executions."""

    root: Path
    plan: RunPlan
    verbs: Mapping[str, Verb]
    journal: Journal = field(default_factory=MemoryJournal)
    events: list[Event] = field(default_factory=list)
    runner: Runner | None = None

    def __post_init__(self) -> None:
        self.run: RunDir = RunStore(self.root / "runs").create(self.plan)

    async def execute(self, *, resume: bool = False, only: Collection[str] = ()) -> ExitCode:
        tools = Tools(verbs=self.verbs, journal=self.journal, clock=LoopClock(), locks=HostLocks(self.root / "locks"))
        with self.run.locked(), Narrator(self.run, LoopClock(), self.events.append) as narrator:
            self.runner = Runner(self.plan, self.run, tools, narrator)
            return await self.runner.execute(resume=resume, only=only)

    def go(self, *, resume: bool = False) -> ExitCode:
        """Execute on a virtual loop, from the start or as another process would resume."""
        return run_virtual(self.execute(resume=resume))

    def ends(self) -> dict[str, str]:
        """The last end of each host."""
        return {event.host: event.status for event in self.events if isinstance(event, HostEnded)}

    def steps(self) -> list[tuple[str, str, str]]:
        """Host, verb and status of each step that ended."""
        return [(event.host, event.verb, event.status) for event in self.events if isinstance(event, StepEnded)]

    def started(self) -> list[tuple[str, str]]:
        """Host and verb of each step that began."""
        return [(event.host, event.verb) for event in self.events if isinstance(event, StepStarted)]

    def waited(self) -> list[tuple[str, str]]:
        """Host and reason of each wait."""
        return [(event.host, event.reason) for event in self.events if isinstance(event, StepWaiting)]

    def commands(self) -> list[str]:
        """Texts of the commands shown."""
        return [event.text for event in self.events if isinstance(event, Command)]

    def told(self) -> list[str]:
        """The phases told."""
        return [event.text for event in self.events if isinstance(event, Progress)]


def bench(root: Path, *plays: PlayPlan, verbs: Mapping[str, Verb] | None = None, **fields: object) -> Bench:
    """A bench for these plays; `fields` go into the plan (check, step, forks) or name the journal."""
    journal = fields.pop("journal", None) or MemoryJournal()
    values: dict[str, object] = {"title": "test", "plays": plays, "fleet": str(root), **fields}
    plan = RunPlan(**values)  # type: ignore[arg-type]
    table: dict[str, Verb] = {name: FakeVerb() for name in VERBS}
    return Bench(root=root, plan=plan, verbs={**table, **(verbs or {})}, journal=journal)  # type: ignore[arg-type]
