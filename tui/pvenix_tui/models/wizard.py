"""The onboarding of one host, step by step: what its events told of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pvenix.engine.skipping import why_not
from pvenix.engine.stepwords import step_id
from pvenix.model import events as ev
from pvenix.model.outcome import Status
from pvenix.model.plan import RunPlan, Task
from pvenix.model.verbs import ONBOARDING
from pvenix_tui.models.states import QUEUED, RUNNING, epoch

_GOOD: Final = frozenset(status.value for status in Status if status.goes_on)


@dataclass(slots=True, kw_only=True)
class StepSeen:
    """What is known of one step of the host."""

    id: str
    task: Task
    state: str = QUEUED
    """`queued`, `running`, `waiting`, or the status that it ended with."""
    gate: bool = False
    """True while it waits for a word before it begins; one that ended waiting waits for something else."""
    started_at: str = ""
    seconds: float = 0.0
    """What it took, once it ended."""
    limit_s: float = 0.0
    said: str = ""
    """The reason to wait, the last phase, or how it ended."""
    hint: str = ""
    evidence: tuple[str, ...] = ()
    phases: list[tuple[str, str]] = field(default_factory=list)
    """When, and what it was at."""
    data: dict[str, str] = field(default_factory=dict)
    """What it recorded: ids, addresses, commits."""

    @property
    def good(self) -> bool:
        """True when the next step may begin."""
        return self.state in _GOOD

    @property
    def ended(self) -> bool:
        """True once it has an end, however that is."""
        return self.state not in (QUEUED, RUNNING) and not self.gate

    def elapsed(self, now: float) -> float:
        """Seconds that it took, or takes so far."""
        start = epoch(self.started_at)
        return self.seconds if self.state != RUNNING or start is None else max(0.0, now - start)


class WizardModel:
    """The steps of one host of a run."""

    def __init__(self, plan: RunPlan, host: str) -> None:
        self.host = host
        self.check = plan.check
        self.steps = [
            StepSeen(id=step_id(index, number, task), task=task)
            for index, play in enumerate(plan.plays)
            if any(host in wave for wave in play.waves)
            for number, task in enumerate(play.tasks)
        ]
        self._by_id = {step.id: step for step in self.steps}
        self.ended = ""
        """How the host's part ended, empty while it goes on."""
        self.note = ""
        """What was said of the host beside its steps, such as why something asked for was not done."""

    def apply(self, events: Iterable[ev.Event]) -> None:
        """Take in events in their order."""
        for event in events:
            if isinstance(event, ev.RunStarted) and event.resumed:
                self.ended, self.note = "", ""
            if event.host == self.host:
                self._apply(event)

    def _apply(self, event: ev.Event) -> None:
        step = self._by_id.get(event.step)
        match event:
            case ev.HostEnded():
                self.ended = event.status
                for waiting in self.steps:
                    if waiting.gate:  # nobody waits any more
                        waiting.gate, waiting.state, waiting.said = False, QUEUED, ""
            case ev.Progress() if step is None:
                self.note = event.text
            case _ if step is None:
                pass
            case ev.StepWaiting():
                step.state, step.gate, step.said, step.hint = Status.WAITING.value, True, event.reason, ""
            case ev.StepStarted():
                self.ended = self.note = ""
                step.gate = False
                step.state, step.started_at, step.limit_s, step.seconds = RUNNING, event.at, event.limit_s, 0.0
                step.said, step.hint, step.evidence, step.phases = "", "", (), []
            case ev.Progress():
                step.said = event.text
                step.phases.append((event.at, event.text))
            case ev.StepEvidence():
                step.data |= event.data
            case ev.StepEnded():
                step.gate = False
                step.state, step.said, step.hint = event.status, event.summary, event.hint
                step.evidence, step.seconds = event.evidence, event.seconds
            case _:
                pass

    @property
    def current(self) -> StepSeen | None:
        """The step that runs or waits, else the one that did not end well, else the next one, else the last."""
        busy = next((step for step in self.steps if step.gate or step.state == RUNNING), None)
        stuck = next((step for step in reversed(self.steps) if step.ended and not step.good), None)
        open_step = next((step for step in self.steps if not step.good), None)
        return busy or stuck or open_step or (self.steps[-1] if self.steps else None)

    @property
    def done(self) -> bool:
        """True when every step ended well."""
        return all(step.good for step in self.steps)

    def no_skip(self, *, live: bool) -> str:
        """Why the current step cannot be left out, empty when it can."""
        step = self.current
        if step is None or self.done:
            return "every step has ended"
        if self.check:
            return "the run only looks"
        if step.state == RUNNING:
            return f"{step.task.verb} is at work: it is let finish" if live else "retry it first: that looks"
        if step.state == QUEUED and live:
            return f"{step.task.verb} has not begun to wait: p pauses before it"
        why = why_not(step.task)
        return f"{step.task.verb}: {why}" if why else ""

    def facts(self) -> dict[str, str]:
        """What the steps recorded, the last word of each."""
        found: dict[str, str] = {}
        for step in self.steps:
            found |= step.data
        return found


def is_onboarding(plan: RunPlan) -> bool:
    """True for the onboarding of one host."""
    verbs = [task.verb for play in plan.plays for task in play.tasks]
    return len(plan.hosts) == 1 and not plan.check and verbs == list(ONBOARDING)
