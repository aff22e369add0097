"""Going on without a step: which one a host stands at, and whether a person may leave it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.engine.narrator import Narrator
from pvenix.engine.ports import Entry, Journal
from pvenix.engine.stepwords import step_id
from pvenix.model.errors import UsageError
from pvenix.model.events import StepEnded
from pvenix.model.outcome import Outcome, Status
from pvenix.model.plan import RunPlan, Task
from pvenix.model.verbs import VERBS

UNSKIPPABLE: Final = "PVX0812"
"""A step that a run cannot go on without."""
BY: Final = "by"
"""Who skipped a step: in the data of its result, which an ordinary end lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The first step of a host that has no good end yet."""

    step: str
    """Such as `0.3.boot`."""
    task: Task
    lost: bool
    """True when it was begun, and what became of its effect is not known."""


def standing(plan: RunPlan, host: str, entries: Iterable[Entry]) -> Standing | None:
    """Where `host` stands by the journal of its run; None when all its steps ended well, or it has none."""
    rows = tuple(entries)
    for index, play in enumerate(plan.plays):
        if not any(host in wave for wave in play.waves):
            continue
        for number, task in enumerate(play.tasks):
            name = step_id(index, number, task)
            own = [row for row in rows if row.step == name and (task.run_once or row.host == host)]
            ends = [Status(row.data["status"]) for row in own if row.what == "result"]
            if not ends or not ends[-1].goes_on:
                return Standing(step=name, task=task, lost=_lost(own))
    return None


def _lost(rows: Iterable[Entry]) -> bool:
    """True when the last attempt of a step set out on an effect and nobody saw how it ended."""
    begun = lost = False
    for row in rows:
        if row.what == "intent":
            begun = lost = True
        elif row.what == "result":
            lost = begun and Status(row.data["status"]) in (Status.UNKNOWN, Status.UNREACHABLE)
            begun = False
    return lost


def why_not(task: Task) -> str:
    """Why the step of a task is never skipped, empty when it may be."""
    if task.run_once:
        return "it is done once for all hosts"
    return VERBS[task.verb].unskippable if task.verb in VERBS else ""


def refusal(plan: RunPlan, host: str, step: str, entries: Iterable[Entry]) -> str:
    """Why `host` cannot go on without `step`, empty when it can."""
    if plan.check:
        return "the run only looks"
    at = standing(plan, host, entries)
    if at is None:
        return "no step of it is left" if host in plan.hosts else "it is not in this run"
    if at.step != step:
        return f"it stands at {at.step} by now"
    if at.lost:
        return f"what {at.task.verb} has begun may still be under way: try it again first, which looks"
    return why_not(at.task)


def refused(plan: RunPlan, host: str, step: str, entries: Iterable[Entry]) -> str:
    """The step that `host` may go on without: the one at which it stands, which is `step` where that is given.

    Raises: UsageError when it may not.
    """
    rows = tuple(entries)
    at = standing(plan, host, rows)
    wanted = step or (at.step if at else "")
    if why := refusal(plan, host, wanted, rows):
        if at is None:
            raise UsageError(f"nothing of {host} is skipped", why=why, hint="pvenix runs show RUN", code=UNSKIPPABLE)
        raise UsageError(
            f"{wanted} of {host} is not skipped",
            why=why,
            hint="it is gone on with by `pvenix runs ask RUN continue`, or by `pvenix resume RUN`",
            code=UNSKIPPABLE,
        )
    return wanted


async def skip(journal: Journal, narrator: Narrator, host: str, step: str, by: str) -> Outcome:
    """Record and tell that `host` goes on without `step`; durable when it returns, so that `resume` knows it.

    Raises: LocalResource when the disk does not take it.
    """
    summary = f"skipped by {by}" if by else "skipped by a person"
    await journal.result(host, step, status=Status.SKIPPED.value, summary=summary, **{BY: by or "a person"})
    verb = step.rpartition(".")[2]
    narrator.emit(StepEnded, host=host, step=step, verb=verb, status=Status.SKIPPED.value, summary=summary)
    return Outcome(status=Status.SKIPPED, summary=summary)
