"""How a plan is confirmed: the tier follows from what it reaches, and the keys from the tier."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pvenix.model.generation import NOT_UNDONE
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.models.commandline import equivalent
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line

GUARD_S: Final = 0.5
"""Seconds after a dialog opened, or after a key came too early, in which its confirming key is ignored."""


class Tier(IntEnum):
    """How much a person has to do to start a plan."""

    FREE = 0
    """Changes nothing: Enter or y."""
    KEY = 1
    """One host, reversible: y; Enter is no."""
    READ = 2
    """Several hosts, or a reboot: y, after the plan was read to its end."""
    TYPED = 3
    """Destroys: the host's name typed, then y."""


TIER_WORDS: Final = {
    Tier.FREE: "changes nothing outside this machine",
    Tier.KEY: "one host, and can be taken back",
    Tier.READ: "several hosts, or a reboot",
    Tier.TYPED: "destroys, and cannot be taken back",
}


def tier_of(plan: RunPlan) -> Tier:
    """The tier of a run."""
    dangers = {VERBS[task.verb].danger for play in plan.plays for task in play.tasks if task.verb in VERBS}
    if plan.check or dangers <= {Danger.READ}:
        return Tier.FREE
    if Danger.DESTROYS in dangers:
        return Tier.TYPED
    if Danger.REBOOTS in dangers or len(plan.hosts) > 1:
        return Tier.READ
    return Tier.KEY


class ConfirmGate:
    """Ignores a confirming key that was held down, or meant for the screen before."""

    def __init__(self, opened_at: float) -> None:
        self._last = opened_at

    def press(self, now: float) -> bool:
        """True when the key counts; each one that comes too early starts the wait again."""
        early = now - self._last < GUARD_S
        self._last = now
        return not early


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan as its screen shows it."""

    title: str
    tier: Tier
    lines: tuple[Line, ...]
    typed_name: str = ""
    """What has to be typed for tier TYPED."""


def plan_view(plan: RunPlan, command: str = "") -> PlanView:
    """The screen's view of a run's plan; `command` does the same from a shell, where the plan's verbs do not say it."""
    tier = tier_of(plan)
    hosts = plan.hosts
    lines: list[Line] = [
        (("Reach    ", Tone.TITLE), (TIER_WORDS[tier], _tier_tone(tier))),
        (("Check    ", Tone.TITLE), ("on: looks and says what it would do", Tone.OK))
        if plan.check
        else (("Check    ", Tone.TITLE), ("off: changes are made", Tone.PLAIN)),
        (("Pauses   ", Tone.TITLE), ("before every step" if plan.step else "none", Tone.PLAIN)),
        (("Command  ", Tone.TITLE), *text_line(command or equivalent(plan), Tone.ACCENT)),
        EMPTY,
    ]
    for play in plan.plays:
        lines += _play_lines(play)
    lines += [EMPTY, (("Hosts    ", Tone.TITLE), (f"{len(hosts)}", Tone.STRONG))]
    lines += [text_line(f"  {host}") for host in hosts]
    if any(task.verb == "rollback" for play in plan.plays for task in play.tasks):
        lines += [EMPTY, (("Not undone", Tone.TITLE),), *(text_line(f"  {line}") for line in NOT_UNDONE)]
    return PlanView(
        title=plan.title,
        tier=tier,
        lines=tuple(lines),
        typed_name=hosts[0] if tier is Tier.TYPED and hosts else "",
    )


def _play_lines(play: PlayPlan) -> list[Line]:
    waves = f"{play.name}, in {len(play.waves)} waves" if len(play.waves) > 1 else play.name
    title = (("Steps    ", Tone.TITLE), (f"{len(play.tasks)}", Tone.STRONG), *text_line(f"  {waves}", Tone.DIM))
    width = max(10, *(len(task.verb) + 1 for task in play.tasks))
    return [title, *(_task_line(number, task, width) for number, task in enumerate(play.tasks, 1))]


def _task_line(number: int, task: Task, width: int) -> Line:
    spec = VERBS.get(task.verb)
    args = "".join(f"{key}={value}  " for key, value in task.args.items() if key != "confirm")
    return (
        (f"  {number:>2} ", Tone.DIM),
        *text_line(f"{task.verb:<{width}}", Tone.STRONG),
        *text_line(f"{args}{spec.help if spec else task.name}"),
    )


def _tier_tone(tier: Tier) -> Tone:
    return (Tone.OK, Tone.PLAIN, Tone.WARN, Tone.BAD)[tier]
