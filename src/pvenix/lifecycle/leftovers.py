"""What a run that was left, or died, has open on the far side, from its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pvenix.engine.ports import Entry
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.activation.deadman import CONTACT
from pvenix.model.outcome import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A step whose effect was intended and whose end nobody recorded."""

    host: str
    step: str
    """Such as `0.3.boot`."""
    things: tuple[str, ...]
    """What can be looked at there: units, tasks, VMs; empty when the step named none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStep:
    """A step that a run began and did not end well with."""

    host: str
    id: str
    known: dict[str, str]
    """Intent and evidence."""
    recorded: bool
    """True when its last try has a result."""
    lost: bool
    """True when that is unknown, or there is none: its effect may still be under way."""

    @property
    def verb(self) -> str:
        """Such as `rebuild`."""
        return self.id.rpartition(".")[2]


def open_steps(entries: Iterable[Entry]) -> tuple[OpenStep, ...]:
    """The steps that were begun and have no good result, in the order in which they were begun."""
    known: dict[tuple[str, str], dict[str, str]] = {}
    ends: dict[tuple[str, str], str] = {}
    for entry in entries:
        place = (entry.host, entry.step)
        if entry.what == "result":
            ends[place] = entry.data["status"]
        elif entry.what == "intent" or place in known:
            known.setdefault(place, {}).update(entry.data)
            if entry.what == "intent":
                ends.pop(place, None)
    return tuple(
        OpenStep(
            host=host,
            id=step,
            known=data,
            recorded=(host, step) in ends,
            lost=ends.get((host, step), Status.UNKNOWN) in (Status.UNKNOWN, Status.UNREACHABLE),
        )
        for (host, step), data in known.items()
        if (host, step) not in ends or not Status(ends[host, step]).goes_on
    )


def leftovers(entries: Iterable[Entry]) -> tuple[Leftover, ...]:
    """The steps that may still be at work, in the order in which they began."""
    return tuple(
        Leftover(host=step.host, step=step.id, things=_things(step.known))
        for step in open_steps(entries)
        if not step.recorded
    )


def _things(data: Mapping[str, str]) -> tuple[str, ...]:
    attempt = Attempt.from_known(dict(data))
    units = () if attempt is None else (words.activation_unit(attempt.id), words.dead_man_unit(attempt.id, CONTACT))
    named = [f"unit {unit}" for unit in units]
    named += [f"task {data['upid']}"] if data.get("upid") else []
    named += [f"VM {data['vmid']}"] if data.get("vmid") else []
    return tuple(named)
