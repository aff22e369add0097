"""What runs have left to do: which one `resume` takes up, and whom a new run has to do again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pvenix.engine.abandoned import abandoned
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.ages import moment_words
from pvenix.model.errors import LocalResource, UsageError
from pvenix.model.events import HostEnded, RunEnded
from pvenix.model.outcome import Status
from pvenix.model.plan import PlayPlan, RunPlan

_NEWEST: Final = 200
"""How many of the newest runs are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How a run ended so far."""

    over: bool
    """True when its process came to the end; a process that died did not."""
    hosts: Mapping[str, Status]
    """The last end of each host that had one."""

    @property
    def failed(self) -> tuple[str, ...]:
        """The hosts that failed, were unreachable or unknown, in the order in which they ended."""
        return tuple(host for host, status in self.hosts.items() if status.counts_as_failed)


def ends_of(run: RunDir) -> Ends:
    """How a run ended, from its events."""
    hosts: dict[str, Status] = {}
    over = False
    for event in run.events()[0]:
        over = isinstance(event, RunEnded)
        if isinstance(event, HostEnded):
            hosts[event.host] = Status(event.status)
    return Ends(over=over, hosts=hosts)


def to_finish(runs: RunStore) -> RunDir | None:
    """The newest run that has something to finish, None when there is none.

    A run that was interrupted has; one that ended has when a host of it did not end well and no newer run has come to
    that host since. Runs that only look, that are at work or that were abandoned have nothing.
    """
    taken_up: set[str] = set()
    for run in runs.newest(limit=_NEWEST):
        try:
            plan = run.plan()
            if plan.check or abandoned(run.path) is not None:
                continue
        except LocalResource:
            continue  # nobody can go on with a run that cannot be read
        if not run.alive():
            ends = ends_of(run)
            left = {host for host in plan.hosts if host not in ends.hosts or not ends.hosts[host].goes_on}
            if not ends.over or left - taken_up:
                return run
        taken_up |= set(plan.hosts)
    return None


def again(run: RunDir) -> RunPlan:
    """A plan of the same for the hosts of a run that failed, were unreachable or unknown; it names that run.

    Raises: UsageError when the run has not ended, or no host of it failed; LocalResource when it cannot be read.
    """
    plan, ends = run.plan(), ends_of(run)
    if run.alive():
        raise UsageError(f"run {run.run} is being executed", hint=f"pvenix runs show {run.run} -f")
    if not ends.over and abandoned(run.path) is None:
        why = "its process died, so nobody knows yet who failed"
        raise UsageError(f"run {run.run} has not ended", why=why, hint=f"pvenix resume {run.run}")
    failed = set(ends.failed)
    if not ends.over:  # abandoned: whoever did not end well is to be done again
        failed = {host for host in plan.hosts if host not in ends.hosts or not ends.hosts[host].goes_on}
    if not failed:
        raise UsageError(f"no host of run {run.run} failed", hint=f"pvenix runs show {run.run}")
    plays = tuple(play for each in plan.plays if (play := _only(each, failed)).waves)
    decisions = {host: decided for host, decided in plan.decisions.items() if host in failed}
    return replace(plan, plays=plays, decisions=decisions, origin=str(run.run))


def refuse_finished(run: RunDir) -> None:
    """Return when a run that nobody executes has something that can be given up.

    Raises: UsageError when it has not.
    """
    mark, ends, plan = abandoned(run.path), ends_of(run), run.plan()
    if mark is not None and not mark.open:
        raise UsageError(
            f"run {run.run} was abandoned by {mark.by} at {moment_words(mark.at)}", why="nothing of it is open"
        )
    if plan.check or (ends.over and all(status.goes_on for status in ends.hosts.values())):
        why = "it only looked" if plan.check else "it ended, and every host of it ended well"
        raise UsageError(f"run {run.run} has nothing to give up", why=why, hint=f"pvenix runs show {run.run}")


def _only(play: PlayPlan, hosts: set[str]) -> PlayPlan:
    waves = (tuple(host for host in wave if host in hosts) for wave in play.waves)
    return replace(play, waves=tuple(wave for wave in waves if wave))
