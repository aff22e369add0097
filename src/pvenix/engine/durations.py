"""How long steps took in earlier runs, and so how long a plan, or what is left of a run, may be expected to take."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.stepwords import step_id
from pvenix.model.outcome import Status
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.verbs import VERBS, Danger

K = TypeVar("K")
RUNS: Final = 100
"""Newest runs that are looked through."""
KEPT: Final = 10
"""The newest times of a verb that count, for each host and for all hosts together."""
_ENDED: Final = b'{"kind":"step.ended"'
"""How the line of a step's end begins: `Event.to_json` writes the kind first, and no line is parsed for nothing."""
_CHECK: Final = b'"check":true'


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """A step that did its work."""

    verb: str
    host: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """What steps took, newest first: by verb and host, by verb and role, and by verb alone."""

    by_host: Mapping[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    by_role: Mapping[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    by_verb: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each host, the role first that tells most of it: that the fewest hosts have."""

    def of(self, verb: str, host: str) -> float | None:
        """The mean in seconds of the verb's last times on the host, else on hosts of its role, else on any host.

        None when it never worked yet.
        """
        alike = (self.by_role.get((verb, role)) for role in self.roles.get(host, ()))
        times = self.by_host.get((verb, host)) or next(filter(None, alike), None) or self.by_verb.get(verb)
        return sum(times) / len(times) if times else None

    def last(self, verb: str, host: str) -> float | None:
        """What the verb took on the host the last time, in seconds; None when that is not known."""
        times = self.by_host.get((verb, host))
        return times[0] if times else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a plan may take."""

    seconds: float
    """Of the steps whose verbs have a history."""
    unknown: tuple[str, ...] = ()
    """Verbs without a history: their time is not in it."""


class _Times(Generic[K]):
    """The newest times under each key."""

    def __init__(self) -> None:
        self._times: dict[K, list[float]] = {}

    def add(self, key: K, seconds: float) -> None:
        times = self._times.setdefault(key, [])
        if len(times) < KEPT:
            times.append(seconds)

    def kept(self) -> dict[K, tuple[float, ...]]:
        return {key: tuple(times) for key, times in self._times.items()}


class History:
    """Reads what steps took; a run whose events are as they were is not read again. Blocks: not for an event loop."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, tuple[Took, ...]]] = {}

    def read(self, store: RunStore, roles: Mapping[str, Sequence[str]] | None = None) -> Durations:
        """The times of the newest runs, with the `roles` of each host. A run that cannot be read tells nothing."""
        common = Counter(role for each in (roles or {}).values() for role in each)
        telling = {host: tuple(sorted(each, key=lambda role: common[role])) for host, each in (roles or {}).items()}
        by_host: _Times[tuple[str, str]] = _Times()
        by_role: _Times[tuple[str, str]] = _Times()
        by_verb: _Times[str] = _Times()
        for run in store.newest(limit=RUNS):
            for took in self._of(run):
                by_host.add((took.verb, took.host), took.seconds)
                by_verb.add(took.verb, took.seconds)
                for role in telling.get(took.host, ()):
                    by_role.add((took.verb, role), took.seconds)
        return Durations(by_host=by_host.kept(), by_role=by_role.kept(), by_verb=by_verb.kept(), roles=telling)

    def _of(self, run: RunDir) -> tuple[Took, ...]:
        path = run.path / "events.jsonl"
        try:
            size = path.stat().st_size
            kept = self._kept.get(run.run)
            if kept is None or kept[0] != size:
                kept = self._kept[run.run] = (size, tuple(reversed(took_in(path.read_bytes()))))
        except OSError:
            return ()
        return kept[1]


def took_in(events: bytes) -> list[Took]:
    """The steps that did their work, in order, by the lines of a run's events; a run that only looked has none.

    A step that found everything done took no time worth knowing, unless looking is all that its verb does.
    """
    lines = events.splitlines()
    if lines and _CHECK in lines[0]:
        return []
    return [took for line in lines if line.startswith(_ENDED) and (took := _took(line)) is not None]


def _took(line: bytes) -> Took | None:
    try:
        event = json.loads(line)
        took = Took(verb=event["verb"], host=event["host"], seconds=float(event["seconds"]))
        status = event["status"]
    except (ValueError, LookupError, TypeError):
        return None  # a line that a full disk cut short
    spec = VERBS.get(took.verb)
    looks = spec is not None and spec.danger is Danger.READ
    return took if status == Status.CHANGED or (looks and status == Status.OK) else None


def estimate(plan: RunPlan, times: Durations, *, done: Collection[tuple[str, str]] = frozenset()) -> Estimate:
    """How long a plan may take: wave after wave, at most `forks` hosts at once, a task's `throttle` kept.

    `done` names steps, by host and step id, that take no time any more.
    """
    verbs = dict.fromkeys(task.verb for play in plan.plays for task in play.tasks)
    unknown = tuple(verb for verb in verbs if not times.by_verb.get(verb))
    seconds = sum(
        _wave(plan, number, wave, times, done) for number, play in enumerate(plan.plays) for wave in play.waves
    )
    return Estimate(seconds=seconds, unknown=unknown)


def _wave(
    plan: RunPlan, number: int, wave: Sequence[str], times: Durations, done: Collection[tuple[str, str]]
) -> float:
    play = plan.plays[number]
    costs = [
        [
            0.0 if (host, step_id(number, index, task)) in done else _cost(play, task, host, times)
            for index, task in enumerate(play.tasks)
        ]
        for host in wave
    ]
    throttled = [
        sum(cost[index] for cost in costs) / task.throttle for index, task in enumerate(play.tasks) if task.throttle
    ]
    return max([_side_by_side([sum(cost) for cost in costs], plan.forks), *throttled], default=0.0)


def _cost(play: PlayPlan, task: Task, host: str, times: Durations) -> float:
    elsewhere = task.run_once and host != play.waves[0][0]
    return 0.0 if elsewhere else times.of(task.verb, host) or 0.0


def _side_by_side(costs: Sequence[float], at_once: int) -> float:
    """When the last of them ends, if each begins as soon as one of `at_once` places is free."""
    ends = [0.0] * max(1, min(at_once, len(costs)))
    for cost in costs:
        heapq.heapreplace(ends, ends[0] + cost)
    return max(ends)
