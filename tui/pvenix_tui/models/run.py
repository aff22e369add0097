"""A run as its events tell it: the same model shows a live run and replays a finished one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pvenix.engine.stepwords import planned_steps
from pvenix.model import events as ev
from pvenix.model.outcome import Status
from pvenix.model.plan import RunPlan
from pvenix_tui.models.states import QUEUED, RUNNING

COMMANDS_KEPT: Final = 2000
_RESUMED: Final = frozenset(status.value for status in Status if not status.goes_on)
_GOOD: Final = frozenset(status.value for status in Status if status.goes_on)
_RETRIED: Final = frozenset(status.value for status in Status if status.counts_as_failed)


@dataclass(slots=True, kw_only=True)
class HostRun:
    """One host's part in a run."""

    host: str
    steps: int
    """Steps that the plan has for it."""
    state: str = QUEUED
    """`queued`, `running`, `waiting`, or the status it ended with."""
    number: int = 0
    """The step it is at, from 1."""
    behind: int = 0
    """Steps that ended well."""
    verb: str = ""
    step: str = ""
    first_at: str = ""
    """When its very first step began, however often the run was gone on with."""
    started_at: str = ""
    """When its first step began since the run was begun, or gone on with, last."""
    ended_at: str = ""
    said: str = ""
    """The last thing an event said: a phase, a reason to wait, or how it ended."""
    hint: str = ""
    evidence: tuple[str, ...] = ()
    seen_steps: list[str] = field(default_factory=list)
    planned: tuple[str, ...] = ()
    """Ids of its steps, in order."""
    step_at: str = ""
    """When its step began."""
    log_at: list[int] = field(default_factory=list)
    """Where its steps begin in its log, in bytes."""

    def at_step(self, step: str) -> None:
        """Note which of its steps it is at."""
        if step not in self.seen_steps:
            self.seen_steps.append(step)
        self.number = self.seen_steps.index(step) + 1
        self.behind = self.number - 1
        self.steps = max(self.steps, len(self.seen_steps))

    @property
    def ended(self) -> bool:
        """True when nothing more happens to it unless it is retried."""
        return bool(self.ended_at)

    def retry_reason(self, *, live: bool) -> str:
        """Why another attempt is not possible, empty when it is: a live run takes only what failed, a resumed one all."""
        if not self.ended or self.state not in _RESUMED:
            return f"{self.host} is {self.state}"
        if live and self.state not in _RETRIED:
            return f"{self.host} is {self.state}: it goes on once the run has ended"
        return ""

    @property
    def asks(self) -> bool:
        """True when its change waits for an approval; a registration waits for its review, which is another screen's."""
        return self.ended and self.state == Status.WAITING and self.hint.startswith("pvenix approve ")

    @property
    def reviews(self) -> bool:
        """True when its registration branch waits for a review."""
        return self.ended and self.state == Status.WAITING and self.verb == "review"

    @property
    def needs_person(self) -> bool:
        """True when it ended otherwise than well, or waits for a `continue`."""
        return self.gate or (self.ended and self.state in _RESUMED)

    @property
    def done(self) -> int:
        """Steps that are behind it: all of them only when it ended well."""
        if self.ended and not self.needs_person:
            return max(1, self.steps)
        return self.behind

    @property
    def share(self) -> float:
        """Share of its steps that are behind it, 0 to 1."""
        return self.done / max(1, self.steps)

    @property
    def gate(self) -> bool:
        """True while it waits for a `continue`."""
        return self.state == "waiting" and not self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCommand:
    """A command as it was sent."""

    at: str
    host: str
    channel: str
    text: str
    writes: bool


class RunModel:
    """The state of a run after the events so far."""

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan
        planned = planned_steps(plan)
        self.hosts = {host: HostRun(host=host, steps=len(planned[host]), planned=planned[host]) for host in plan.hosts}
        self.commands: deque[SentCommand] = deque(maxlen=COMMANDS_KEPT)
        self.commands_total = 0
        self.started_at = ""
        """When the process at work, or the last one, began."""
        self.ended_at = ""
        self.exit_code: int | None = None
        self.paused = False
        """True when this person asked for a pause and did not let the run go on since."""
        self.ending = False
        """True when this person asked the run to end, and it has not begun anew since."""
        self.last_seq = -1
        self.problem = ""
        """Why the run's files cannot be read, empty while they can."""

    def apply(self, events: Iterable[ev.Event]) -> None:
        """Take in events in their order."""
        for event in events:
            self.last_seq = event.seq
            self._apply(event)

    def _apply(self, event: ev.Event) -> None:
        match event:
            case ev.RunStarted():
                self._started(event)
            case ev.RunEnded():
                self.ended_at, self.exit_code = event.at, event.exit_code
            case ev.Command():
                self.commands_total += 1
                self.commands.append(
                    SentCommand(
                        at=event.at, host=event.host, channel=event.channel, text=event.text, writes=event.writes
                    )
                )
            case _ if event.host:
                self._apply_to_host(event)
            case _:
                pass

    def _started(self, event: ev.RunStarted) -> None:
        self.started_at = event.at
        self.ended_at, self.exit_code, self.ending = "", None, False
        for host in self.hosts.values():
            if event.resumed and (host.needs_person or not host.ended):
                host.state, host.started_at, host.ended_at, host.said = QUEUED, "", "", ""

    def _apply_to_host(self, event: ev.Event) -> None:
        host = self.hosts.setdefault(event.host, HostRun(host=event.host, steps=0))
        match event:
            case ev.StepStarted():
                host.at_step(event.step)
                host.state, host.verb, host.step, host.step_at = RUNNING, event.verb, event.step, event.at
                host.log_at.append(event.log_at)
                host.started_at = host.started_at or event.at
                host.first_at = host.first_at or event.at
                host.ended_at, host.said, host.hint, host.evidence = "", "", "", ()
            case ev.StepWaiting():
                host.at_step(event.step)
                host.state, host.verb, host.step, host.said = "waiting", event.verb, event.step, event.reason
                host.ended_at = ""  # of an earlier play
            case ev.Progress() if host.ended:
                host.hint = event.text  # how it ended stays
            case ev.Progress():
                host.said = event.text
                if host.state == "waiting" and not host.ended:
                    host.state = RUNNING
            case ev.StepEnded():
                host.state, host.verb, host.said = event.status, event.verb, event.summary
                host.hint, host.evidence = event.hint, event.evidence
                if event.status in _GOOD:
                    host.behind = max(host.behind, host.number)
                    if host.number < host.steps:  # it has its turn again; how it ends nobody has seen yet
                        host.state = QUEUED
            case ev.HostEnded():
                host.state, host.ended_at = event.status, host.ended_at or event.at  # told again when a run goes on
                host.said = event.summary or host.said
            case _:
                pass

    @property
    def counts(self) -> Counter[str]:
        """Hosts by state."""
        return Counter(host.state for host in self.hosts.values())

    @property
    def done_share(self) -> float:
        """Share of the run's steps that are behind it, 0 to 1."""
        total = sum(max(1, host.steps) for host in self.hosts.values())
        done = sum(host.done for host in self.hosts.values())
        return done / total if total else 1.0

    def ordered(self, *, failed_only: bool = False) -> list[HostRun]:
        """The hosts at work and those that need a person, then the ones to come, then the ended; or only the second.

        Hosts of one kind are in the plan's order.
        """
        if not failed_only:
            return sorted(self.hosts.values(), key=_rank)
        return [host for host in self.hosts.values() if host.needs_person]


def _rank(host: HostRun) -> int:
    if host.needs_person or host.state in (RUNNING, "waiting"):
        return 0
    return 2 if host.ended else 1
