"""What a run that was left leaves at work on the far side, from its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pvenix.engine.ports import Entry
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.activation.deadman import CONTACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A step whose effect was intended and whose end nobody recorded."""

    host: str
    step: str
    """Such as `0.3.boot`."""
    things: tuple[str, ...]
    """What can be looked at there: units, tasks, VMs; empty when the step named none yet."""


def leftovers(entries: Iterable[Entry]) -> tuple[Leftover, ...]:
    """The steps with an intent and no result after it, in the order in which they began."""
    known: dict[tuple[str, str], dict[str, str]] = {}
    for entry in entries:
        key = (entry.host, entry.step)
        if entry.what == "result":
            known.pop(key, None)
        elif entry.what == "intent" or key in known:
            known.setdefault(key, {}).update(entry.data)
    return tuple(Leftover(host=host, step=step, things=_things(data)) for (host, step), data in known.items())


def _things(data: Mapping[str, str]) -> tuple[str, ...]:
    attempt = Attempt.from_known(dict(data))
    units = () if attempt is None else (words.activation_unit(attempt.id), words.dead_man_unit(attempt.id, CONTACT))
    named = [f"unit {unit}" for unit in units]
    named += [f"task {data['upid']}"] if data.get("upid") else []
    named += [f"VM {data['vmid']}"] if data.get("vmid") else []
    return tuple(named)
