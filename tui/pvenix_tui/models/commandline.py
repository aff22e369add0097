"""The command line that does the same as a plan."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from pvenix.model.plan import RunPlan, Task
from pvenix.model.spelling import verb_words
from pvenix.model.verbs import BUILDING, ONBOARDING

ONBOARD_PLAYBOOK: Final = "playbooks/onboard.yaml"
TEMPLATE_PLAYBOOK: Final = "playbooks/template-refresh.yaml"
REVIEW_TASK: Final = ("pvenix", "run", ONBOARD_PLAYBOOK, "-t", "review")
"""The verb `review` from a shell: `pvenix review` itself is the group of commands that read and judge."""


def equivalent(plan: RunPlan) -> str:
    """The shell's way to the same run: the verb's command, the onboarding playbook, or one command after the other."""
    tasks = [task for play in plan.plays for task in play.tasks]
    if len(tasks) == 2 and tasks[0].verb == "preflight" and tasks[1].verb in BUILDING:
        del tasks[0]  # the command puts it there by itself
    flags = (*(("--check",) if plan.check else ()), *(("--step",) if plan.step else ()))
    if [task.verb for task in tasks] == ["review"]:
        return shlex.join((*REVIEW_TASK, "-l", ":".join(plan.hosts), *flags))
    if len(tasks) == 1:
        return shlex.join((*_command(tasks[0], plan.hosts), *flags))
    if tuple(task.verb for task in tasks) == ONBOARDING:
        return shlex.join(("pvenix", "run", ONBOARD_PLAYBOOK, "-l", ":".join(plan.hosts), *flags))
    return " && ".join(shlex.join((*_command(task, plan.hosts), *flags)) for task in tasks)


def _command(task: Task, hosts: Sequence[str]) -> tuple[str, ...]:
    return ("pvenix", *verb_words(task.verb, hosts, task.args))
