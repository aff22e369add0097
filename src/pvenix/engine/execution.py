"""What the hosts of one execution share."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from pvenix.engine.gate import Gate
from pvenix.engine.locks import HostLocks
from pvenix.engine.narrator import Narrator
from pvenix.engine.ports import Clock, Journal
from pvenix.engine.runfiles import RunDir
from pvenix.engine.step import Verb
from pvenix.model.plan import RunPlan
from pvenix.model.verbs import Kind

LIMITS = {Kind.PVE: 16, Kind.CLONE: 4, Kind.SSH: 64, Kind.BUILD: 64, Kind.GIT: 1}
"""How many steps of a kind run at once; Git pushes go one by one, as they race for the same branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the runner works with."""

    verbs: Mapping[str, Verb]
    journal: Journal
    clock: Clock
    locks: HostLocks


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run in this process."""

    plan: RunPlan
    run: RunDir
    tools: Tools
    narrator: Narrator
    gate: Gate = field(default_factory=Gate)
    slots: Mapping[Kind, asyncio.Semaphore] = field(
        default_factory=lambda: {kind: asyncio.Semaphore(limit) for kind, limit in LIMITS.items()}
    )
    facts: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """What each host's steps found, across plays; at first what the plan decided."""
    forks: asyncio.Semaphore = field(init=False)
    """The most hosts at once."""

    def __post_init__(self) -> None:
        self.forks = asyncio.Semaphore(max(1, self.plan.forks))
        for host, decided in self.plan.decisions.items():
            self.facts[host] |= decided
