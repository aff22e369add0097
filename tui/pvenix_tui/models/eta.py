"""How long what is left of a run may take, from what its steps took before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_tui.models.run import HostRun, RunModel
from pvenix_tui.models.states import RUNNING, epoch

if TYPE_CHECKING:
    from pvenix.engine.durations import Durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of a run."""

    seconds: float
    guess: bool
    """A host is judged by others, or a verb has never been seen to end."""


def left(model: RunModel, times: Durations, now: float) -> Left | None:
    """The time that is left; None when the run has ended, or nothing of what is to come has a history."""
    from pvenix.engine.durations import estimate

    hosts = [host for host in model.hosts.values() if not host.ended]
    if model.ended_at or not hosts:
        return None
    found = estimate(model.plan, times, done=_done(model))
    if not found.seconds:
        return None
    verbs = {(step.rpartition(".")[2], host.host) for host in hosts for step in _to_come(host)}
    known = all(pair in times.by_host for pair in verbs)
    return Left(seconds=max(0.0, found.seconds - _begun(hosts, now)), guess=not known)


def _to_come(host: HostRun) -> tuple[str, ...]:
    return host.planned[max(0, host.number - 1) :]


def _done(model: RunModel) -> set[tuple[str, str]]:
    """Steps that take no time any more."""
    done: set[tuple[str, str]] = set()
    for host in model.hosts.values():
        behind = host.planned if host.ended else host.planned[: max(0, host.number - 1)]
        done |= {(host.host, step) for step in behind}
    return done


def _begun(hosts: list[HostRun], now: float) -> float:
    """Seconds that every host at work has spent on its step at least."""
    starts = [epoch(host.step_at) for host in hosts if host.state == RUNNING]
    return min((now - start for start in starts if start is not None), default=0.0)
