"""How the hosts of a run stand, by its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pvenix.model.events import Event, HostEnded, RunStarted, StepStarted, StepWaiting
from pvenix.model.outcome import Status


def ends(events: Sequence[Event]) -> dict[str, int]:
    """Hosts by how they ended, of those that were not begun anew since."""
    found: dict[str, str] = {}
    for event in events:
        if isinstance(event, HostEnded):
            found[event.host] = event.status
        elif isinstance(event, StepStarted):
            found.pop(event.host, None)
    return dict(Counter(found.values()))


def waits(events: Sequence[Event]) -> bool:
    """Whether no host is at work and one waits: at a step's gate, or with what it ended with."""
    states: dict[str, str] = {}
    for event in events:
        match event:
            case RunStarted():
                states.clear()
            case StepStarted():
                states[event.host] = "running"
            case StepWaiting():
                states[event.host] = Status.WAITING
            case HostEnded():
                states[event.host] = event.status
    return "running" not in states.values() and Status.WAITING in states.values()
