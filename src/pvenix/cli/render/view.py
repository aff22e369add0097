"""The state of a run as its events tell it; what the table, the live lines and the JSON document are made from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from pvenix.model.events import (
    Command,
    Event,
    HostEnded,
    Progress,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    StepWaiting,
)


@dataclass(slots=True)
class StepView:
    """A step of a host."""

    step: str
    verb: str
    name: str = ""
    status: str = ""
    """Empty while the step goes on."""
    waits_for: str = ""
    progress: str = ""
    end: StepEnded | None = None
    commands: list[Command] = field(default_factory=list)


@dataclass(slots=True)
class HostView:
    """A host's part of the run."""

    host: str
    steps: dict[str, StepView] = field(default_factory=dict)
    status: str = ""
    """Empty until the host is through."""
    summary: str = ""

    @property
    def active(self) -> StepView | None:
        """The step that goes on, if any."""
        return next((step for step in reversed(self.steps.values()) if not step.status), None)

    @property
    def trouble(self) -> StepEnded | None:
        """The step's end that stopped the host, if one did."""
        bad = (step.end for step in reversed(self.steps.values()) if step.end and step.status not in _GOES_ON)
        return next(bad, None)


_GOES_ON = ("ok", "changed", "pending", "skipped")


class RunView:
    """Everything that the events so far say; feed them in order."""

    def __init__(self) -> None:
        self.run = ""
        self.title = ""
        self.check = False
        self.hosts: dict[str, HostView] = {}
        self.end: RunEnded | None = None

    def feed(self, event: Event) -> None:
        """Take in one event."""
        self.run = event.run
        match event:
            case RunStarted():
                self.title, self.check, self.end = event.title, event.check, None
                for host in event.hosts:
                    self.hosts.setdefault(host, HostView(host)).status = ""
            case StepStarted():
                step = StepView(step=event.step, verb=event.verb, name=event.name)
                self._host(event).steps.pop(event.step, None)
                self._host(event).steps[event.step] = step
            case StepWaiting():
                self._step(event, event.verb).waits_for = event.reason
            case Progress() if event.step:
                step = self._step(event, "")
                step.progress, step.waits_for = event.text, ""
            case Command():
                step = self._step(event, "")
                step.commands.append(event)
                step.waits_for = ""
            case StepEnded():
                step = self._step(event, event.verb)
                step.status, step.end, step.waits_for = event.status, event, ""
            case HostEnded():
                ended = self._host(event)
                ended.status, ended.summary = event.status, event.summary
            case RunEnded():
                self.end = event
            case _:
                pass

    @property
    def active(self) -> list[HostView]:
        """Hosts with a step that goes on."""
        return [host for host in self.hosts.values() if host.active]

    def counts(self) -> dict[str, int]:
        """Hosts by status, as the run itself counted them or as far as they are through."""
        if self.end:
            return dict(self.end.counts)
        through = sorted(host.status for host in self.hosts.values() if host.status)
        return {status: len(list(group)) for status, group in itertools.groupby(through)}

    def document(self, exit_code: int) -> dict[str, object]:
        """The run as one JSON document, schema `pvenix/run-result/v1`."""
        return {
            "schema": "pvenix/run-result/v1",
            "run": self.run,
            "title": self.title,
            "check": self.check,
            "exit_code": exit_code,
            "seconds": self.end.seconds if self.end else None,
            "counts": self.counts(),
            "hosts": [_host_document(host) for host in self.hosts.values()],
        }

    def _host(self, event: Event) -> HostView:
        return self.hosts.setdefault(event.host, HostView(event.host))

    def _step(self, event: Event, verb: str) -> StepView:
        steps = self._host(event).steps
        if event.step not in steps:
            steps[event.step] = StepView(step=event.step, verb=verb or event.step.rpartition(".")[2])
        return steps[event.step]


def _host_document(host: HostView) -> dict[str, object]:
    return {
        "host": host.host,
        "status": host.status or "unfinished",
        "summary": host.summary,
        "steps": [_step_document(step) for step in host.steps.values()],
    }


def _step_document(step: StepView) -> dict[str, object]:
    end = step.end
    return {
        "step": step.step,
        "verb": step.verb,
        "name": step.name,
        "status": step.status or "unfinished",
        "summary": end.summary if end else "",
        "hint": end.hint if end else "",
        "evidence": list(end.evidence) if end else [],
        "seconds": end.seconds if end else None,
        "commands": [{"channel": each.channel, "text": each.text, "writes": each.writes} for each in step.commands],
    }
