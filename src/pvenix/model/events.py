"""The one stream of events of a run: plain renderer, JSON lines and TUI all read it.

Output of hosts is not an event: it goes to the host's log file, which front ends follow.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run."""

    kind: ClassVar[str] = ""
    run: str
    seq: int
    """Counts up by one within the run."""
    at: str
    """UTC, ISO 8601 with milliseconds."""
    host: str = ""
    step: str = ""
    """`<play>.<task>.<verb>`, empty for events of the whole run or host."""

    def to_json(self) -> dict[str, Any]:
        """A flat JSON object with the event's kind."""
        # All fields are flat, so none needs `dataclasses.asdict`, which costs several times as much.
        return {"kind": self.kind, **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A process took the run's lock and began, or went on (`resumed`)."""

    kind = "run.started"
    title: str
    hosts: tuple[str, ...]
    steps: tuple[str, ...]
    pid: int
    resumed: bool = False
    check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStarted(Event):
    """The hosts of one wave may start."""

    kind = "wave.started"
    play: str
    number: int
    of: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step began on a host."""

    kind = "step.started"
    verb: str
    name: str
    log_at: int = 0
    """Where the step begins in the host's log, in bytes."""
    limit_s: float = 0.0
    """The most that it may take, in seconds; 0 is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWaiting(Event):
    """A step waits: for a slot, a lock, a `continue` or an approval."""

    kind = "step.waiting"
    verb: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Event):
    """The exact remote command or API call, before it is sent; secrets masked."""

    kind = "command"
    channel: str
    """`ssh`, `pve`, `git`, `agent` or `local`."""
    text: str
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """A phase of a step, in words, such as `waiting for the guest agent`; without a step, a word about the host."""

    kind = "progress"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvidence(Event):
    """What shows that a step's effect is under way or was seen: a VM id, a task, an address, a commit."""

    kind = "step.evidence"
    data: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Event):
    """A step ended on a host."""

    kind = "step.ended"
    verb: str
    status: str
    summary: str = ""
    hint: str = ""
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnded(Event):
    """A host is through with its part of the run."""

    kind = "host.ended"
    status: str
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The run is over; a process that died writes none."""

    kind = "run.ended"
    exit_code: int
    counts: dict[str, int]
    seconds: float = 0.0


KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        RunStarted,
        WaveStarted,
        StepStarted,
        StepWaiting,
        Command,
        Progress,
        StepEvidence,
        StepEnded,
        HostEnded,
        RunEnded,
    )
}


def event_from_json(data: dict[str, Any]) -> Event:
    """The event that `Event.to_json` wrote.

    Raises: KeyError for an unknown kind, TypeError for wrong fields.
    """
    cls = KINDS[data["kind"]]
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items() if key != "kind"
    }
    return cls(**values)
