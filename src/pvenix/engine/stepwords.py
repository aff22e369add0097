"""The names of a run's steps: the id that files hold, and what a person reads for it."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.model.plan import RunPlan, Task


def step_id(play: int, number: int, task: Task) -> str:
    """The name of a task within its run, such as `0.3.boot`."""
    return f"{play}.{number}.{task.verb}"


def planned_steps(plan: RunPlan) -> dict[str, tuple[str, ...]]:
    """The ids of each host's steps, in order."""
    steps: dict[str, list[str]] = {host: [] for host in plan.hosts}
    for number, play in enumerate(plan.plays):
        ids = [step_id(number, index, task) for index, task in enumerate(play.tasks)]
        for host in dict.fromkeys(host for wave in play.waves for host in wave):
            steps[host] += ids
    return {host: tuple(ids) for host, ids in steps.items()}


def heading(step: str) -> str:
    """The line of a host's log that stands before the output of a step."""
    return f"--- {step} ---"


def headings(steps: Sequence[str]) -> dict[str, str]:
    """What is shown for each of these lines: of the steps of one host, `--- 4/6 boot ---` for `--- 0.3.boot ---`."""
    verbs = [step.split(".", 2)[-1] for step in steps]
    return {
        heading(step): f"--- {number}/{len(steps)} {verb} ---"
        for number, (step, verb) in enumerate(zip(steps, verbs, strict=True), start=1)
    }
