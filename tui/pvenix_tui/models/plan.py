"""How a plan is confirmed: the tier follows from what it reaches, and the keys from the tier."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from pvenix.engine.stepwords import planned_steps, step_id
from pvenix.model.generation import NOT_UNDONE
from pvenix.model.inverse import INVERSE, Inverse, Way
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.spelling import COMMANDS
from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.commandline import equivalent
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.states import clock_word

if TYPE_CHECKING:
    from pvenix.engine.durations import Estimate
    from pvenix.lifecycle.gates import Gate

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
    """Destroys, or many that count for more: the host's name or the number of hosts typed, then y."""


_HOW: Final = {
    Tier.FREE: "enter or y starts it",
    Tier.KEY: "y starts it",
    Tier.READ: "read to the end, then y",
    Tier.TYPED: "typed, then y",
}
CRITICAL: Final = frozenset({"prod", "production", "critical"})
"""Groups of the inventory whose hosts take more to start something on."""
_COMMAND_LENGTH: Final = 240
"""The most characters of a command line that a plan shows."""
MANY_CRITICAL: Final = 3
"""So many critical hosts at once have their number typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a plan reaches: its tier, and why it is that one."""

    tier: Tier
    why: str
    whole: bool = False
    """Whether it is read to its end whatever the tier, for what it says of the hosts."""

    @property
    def words(self) -> str:
        """The reason, and what starts it."""
        how = Tier.READ if self.whole and self.tier is Tier.KEY else self.tier
        return f"{self.why}: {_HOW[how]}"

    @property
    def line(self) -> Line:
        """As the plan begins."""
        return field_line("Reach", self.words, (Tone.OK, Tone.PLAIN, Tone.WARN, Tone.BAD)[self.tier])


def reach_of(plan: RunPlan, critical: Collection[str] = frozenset()) -> Reach:
    """The tier of a run; `critical` are hosts that count for more."""
    tasks = [task for play in plan.plays for task in play.tasks]
    dangers = {VERBS[task.verb].danger for task in tasks if task.verb in VERBS}
    named = [host for host in plan.hosts if host in critical]
    if plan.check or dangers <= {Danger.READ}:
        return Reach(tier=Tier.FREE, why="changes nothing outside this machine")
    if Danger.DESTROYS in dangers:
        return Reach(tier=Tier.TYPED, why="destroys, and cannot be taken back")
    if len(named) >= MANY_CRITICAL:
        return Reach(
            tier=Tier.TYPED,
            why=f"{len(named)} production hosts at once ({', '.join(named[:MANY_CRITICAL])}, {ELLIPSIS})",
        )
    reasons = [
        *([f"several hosts ({len(plan.hosts)})"] if len(plan.hosts) > 1 else []),
        *(["a reboot"] if Danger.REBOOTS in dangers else []),
        *([f"production ({', '.join(named)})"] if named else []),
        *([f"what {task.verb} lets go is not kept" for task in tasks if task.verb in _LETS_GO]),
    ]
    if reasons:
        return Reach(tier=Tier.READ, why=", ".join(reasons))
    return Reach(tier=Tier.KEY, why="one host, and can be taken back")


_LETS_GO: Final = frozenset({"prune-generations", "collect-garbage"})


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
    """Up to the first empty line what decides; behind it the rest."""
    typed_name: str = ""
    """What has to be typed for tier TYPED."""
    command: str = ""
    """The same from a shell."""


def plan_view(
    plan: RunPlan, command: str = "", critical: Collection[str] = frozenset(), *, whole: bool = False
) -> PlanView:
    """The screen's view of a run's plan; `command` does the same from a shell, where the plan's verbs do not say it.

    With `whole` it is read to its end whatever its tier.
    """
    reach = replace(reach_of(plan, critical), whole=whole)
    command = command or equivalent(plan)
    lines: list[Line] = [
        reach.line,
        *_undo_lines(plan, reach.tier),
        field_line("Check", "on: looks and says what it would do", Tone.OK)
        if plan.check
        else field_line("Check", "off: changes are made"),
        field_line("Pauses", "before every step" if plan.step else "none"),
        *_command_lines(command),
        EMPTY,
    ]
    begun = planned_steps(plan)
    for number, play in enumerate(plan.plays):
        lines += _play_lines(play, _first_number(number, play, begun)) if play.tasks else []
    lines += _host_lines(plan)
    if any(task.verb == "rollback" for play in plan.plays for task in play.tasks):
        lines += [EMPTY, (("Not undone", Tone.TITLE),), *(text_line(f"  {line}") for line in NOT_UNDONE)]
    name = plan.hosts[0] if len(plan.hosts) == 1 else str(len(plan.hosts))
    typed = name if reach.tier is Tier.TYPED else ""
    return PlanView(title=plan.title, tier=reach.tier, lines=tuple(lines), typed_name=typed, command=command)


def _command_lines(command: str) -> list[Line]:
    """The command line; one that names many hosts only begins here, for it would push what decides out of sight."""
    if len(command) <= _COMMAND_LENGTH:
        return [field_line("Command", command, Tone.ACCENT)]
    begin = command[:_COMMAND_LENGTH].rpartition(" ")[0]
    return [
        field_line("Command", f"{begin} {ELLIPSIS}", Tone.ACCENT),
        field_line("", "Y copies all of it", Tone.DIM),
    ]


def field_line(name: str, value: str, tone: Tone = Tone.PLAIN) -> Line:
    """A named value of a plan, or with an empty name one more line of the value above."""
    return ((f"{name:<9}", Tone.TITLE), *text_line(value, tone))


def _undo_lines(plan: RunPlan, tier: Tier) -> list[Line]:
    """How it is undone once it is done, a line for each way; nothing for what changes nothing."""
    if tier is Tier.FREE:
        return []
    verbs = dict.fromkeys(task.verb for play in plan.plays for task in play.tasks)
    host = plan.hosts[0] if len(plan.hosts) == 1 else "HOST"
    if made := next((verb for verb in ("clone", "create") if verb in verbs), ""):
        words = [f"{made} and what follows: pvenix destroy {host} takes the new VM away"]
    else:
        known = ((verb, INVERSE[verb]) for verb in verbs if verb in INVERSE and VERBS[verb].danger is not Danger.READ)
        several = len(verbs) > 1
        words = [(f"{verb}: " if several else "") + _undo_word(found).replace("HOST", host) for verb, found in known]
    return [
        field_line("" if index else "Undo", word, Tone.WARN if "cannot be undone" in word else Tone.PLAIN)
        for index, word in enumerate(words)
    ]


def _undo_word(found: Inverse) -> str:
    match found.way:
        case Way.VERB:
            return f"pvenix {' '.join(COMMANDS.get(found.verb, (found.verb,)))} HOST"
        case Way.BEFORE:
            return "pvenix rollback HOST --before RUN, what it ran before this run"
        case Way.REVERT:
            return "pvenix revert COMMIT"
        case Way.REVIEW:
            return f"pvenix review {found.verb} HOST COMMIT"
        case Way.NONE:
            return f"cannot be undone: {found.why}" + (f"; {found.helps}" if found.helps else "")


def _host_lines(plan: RunPlan) -> list[Line]:
    """The hosts, in their waves where there are several."""
    lines: list[Line] = [EMPTY, (("Hosts    ", Tone.TITLE), (f"{len(plan.hosts)}", Tone.STRONG))]
    waves = max((play.waves for play in plan.plays), key=len, default=())
    if len(waves) < 2:
        return [*lines, *(text_line(f"  {host}") for host in plan.hosts)]
    for number, wave in enumerate(waves, 1):
        lines += [text_line(f"  wave {number} of {len(waves)}", Tone.DIM), *(text_line(f"    {host}") for host in wave)]
    return lines


def _first_number(number: int, play: PlayPlan, steps: Mapping[str, Sequence[str]]) -> int:
    """What its first step is called in a run's headings, which number each host's steps through.

    1 where its hosts do not agree on that, as some of them have no earlier play.
    """
    first = step_id(number, 0, play.tasks[0])
    found = {steps[host].index(first) for wave in play.waves for host in wave}
    return found.pop() + 1 if len(found) == 1 else 1


def _play_lines(play: PlayPlan, first: int) -> list[Line]:
    waves = f"{play.name}, in {len(play.waves)} waves" if len(play.waves) > 1 else play.name
    title = (("Steps    ", Tone.TITLE), (f"{len(play.tasks)}", Tone.STRONG), *text_line(f"  {waves}", Tone.DIM))
    width = max(10, *(len(task.verb) + 1 for task in play.tasks))
    return [title, *(_task_line(number, task, width) for number, task in enumerate(play.tasks, first))]


def _task_line(number: int, task: Task, width: int) -> Line:
    spec = VERBS.get(task.verb)
    args = "".join(f"{key}={value}  " for key, value in task.args.items() if key != "confirm")
    return (
        (f"  {number:>2} ", Tone.DIM),
        *text_line(f"{task.verb:<{width}}", Tone.STRONG),
        *text_line(f"{args}{spec.help if spec else task.name}"),
    )


def takes_line(found: Estimate) -> Line:
    """How long it may take, from what its verbs took before."""
    never = f"{', '.join(found.unknown)} never worked here yet" if found.unknown else ""
    if not found.seconds:
        return field_line("Takes", f"not known: {never}" if never else "nothing worth telling", Tone.DIM)
    about = f"about {clock_word(found.seconds)}, as its last runs took"
    return field_line("Takes", f"{about}; not counted: {never}" if never else about)


def gate_lines(found: Sequence[Gate]) -> list[Line]:
    """What will or may be waited for, a line for each reason with its hosts."""
    hosts: dict[tuple[bool, str], list[str]] = {}
    for gate in found:
        hosts.setdefault((gate.sure, gate.text), []).append(gate.host)
    several = len({gate.host for gate in found}) > 1
    lines: list[Line] = []
    for (sure, text), names in sorted(hosts.items(), key=lambda each: not each[0][0]):
        who = f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: " if several else ""
        lines.append(field_line("" if lines else "Waits", who + text, Tone.WARN if sure else Tone.PLAIN))
    return lines
