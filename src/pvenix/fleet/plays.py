"""Plays bound to hosts: waves, tags, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pvenix.model.errors import UsageError
from pvenix.model.nearest import did_you_mean
from pvenix.model.plan import ArgValue, PlayPlan, Task
from pvenix.model.selector import Selector
from pvenix.model.verbs import VERBS, Arg

_NEVER, _ALWAYS = "never", "always"

Batch = tuple[int, bool]
"""A number of hosts, or with True a percentage of the play's hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One play of a playbook, checked but not yet bound to hosts."""

    name: str
    hosts: Selector
    tasks: tuple[Task, ...]
    serial: tuple[Batch, ...] = ()
    max_fail_percentage: float = 100.0
    any_errors_fatal: bool = False
    vars: Mapping[str, ArgValue] = field(default_factory=dict)
    """Defaults of the verbs' arguments."""
    file: str = ""
    line: int = 0


def arg_problem(spec: Arg, value: Any) -> str:
    """What is wrong with an argument's value, empty when it fits."""
    if type(value) is not spec.type:
        wanted = {bool: "true or false", int: "a whole number", str: "text; quote it"}[spec.type]
        return f"must be {wanted}"
    if spec.choices and value not in spec.choices:
        return f"must be one of {', '.join(spec.choices)}"
    return ""


def expand(
    play: Play,
    hosts: Sequence[str],
    *,
    tags: Collection[str] = (),
    skip_tags: Collection[str] = (),
    start_at: str = "",
    extra: Mapping[str, ArgValue] | None = None,
) -> PlayPlan:
    """The play for these hosts: waves by its serial, tasks by tags, arguments from `vars`, the task and then `-e`.

    `start_at` names a task or a verb; what stands before it is left out. `extra` may be text, as it comes from a
    command line. Raises: UsageError for an unknown `start_at`, a missing required or a mistyped argument.
    """
    if start_at:
        (play,) = starting_at([play], start_at)
    tasks = [task for task in play.tasks if _wanted(task, tags, skip_tags)]
    return PlayPlan(
        name=play.name or play.hosts.text,
        waves=_waves(tuple(dict.fromkeys(hosts)), play.serial),
        tasks=tuple(_bound(play, task, extra or {}) for task in tasks),
        max_fail_percentage=play.max_fail_percentage,
        any_errors_fatal=play.any_errors_fatal,
    )


def _waves(hosts: tuple[str, ...], serial: Sequence[Batch]) -> tuple[tuple[str, ...], ...]:
    """Ansible's rule: the last batch repeats; a percentage of all the play's hosts rounds down, to at least one."""
    if not serial:
        return (hosts,) if hosts else ()
    waves, start, number = [], 0, 0
    while start < len(hosts):
        amount, percent = serial[min(number, len(serial) - 1)]
        size = max(1, len(hosts) * amount // 100) if percent else amount
        waves.append(hosts[start : start + size])
        start += size
        number += 1
    return tuple(waves)


def starting_at(plays: Sequence[Play], start_at: str) -> tuple[Play, ...]:
    """The plays from the task with this name or verb on; what stands before it is left out.

    Raises: UsageError with the nearest name when no play has such a task.
    """
    for number, play in enumerate(plays):
        for index, task in enumerate(play.tasks):
            if start_at in (task.name, task.verb):
                return (replace(play, tasks=play.tasks[index:]), *plays[number + 1 :])
    names = [name for play in plays for task in play.tasks for name in (task.name, task.verb) if name]
    raise UsageError(f"no task is called `{start_at[:80]}`", hint=did_you_mean(start_at, names))


def refuse_unknown_tags(plays: Sequence[Play], words: Iterable[str]) -> None:
    """Let a run without effect, or one that skips nothing, not pass for what was meant.

    Raises: UsageError with the nearest tag when no task of the playbook has one of the words.
    """
    known = {tag for play in plays for task in play.tasks for tag in task.tags}
    for word in words:
        if word not in known | {_ALWAYS, _NEVER, "all", "tagged", "untagged"}:
            raise UsageError(f"no task has the tag `{word[:80]}`", hint=did_you_mean(word, known))


def _wanted(task: Task, tags: Collection[str], skip_tags: Collection[str]) -> bool:
    """Ansible's rule, with its special tags `always` and `never`."""
    own = set(task.tags)
    if own & set(skip_tags) or ("tagged" in skip_tags and own) or ("untagged" in skip_tags and not own):
        return False
    if own & set(tags) or ("tagged" in tags and own) or ("untagged" in tags and not own):
        return True
    if _ALWAYS in own:
        return True
    return _NEVER not in own and (not tags or "all" in tags)


def _bound(play: Play, task: Task, extra: Mapping[str, ArgValue]) -> Task:
    args: dict[str, ArgValue] = {}
    for name, spec in VERBS[task.verb].args.items():
        if name in extra:
            args[name] = coerce(f"-e {name}", spec, extra[name])
        elif name in task.args:
            args[name] = task.args[name]
        elif name in play.vars:
            args[name] = play.vars[name]
        elif spec.required:
            raise UsageError(f"`{task.verb}` needs `{name}`: {spec.help}", hint=f"give it with -e {name}=…")
    return replace(task, args=args)


def coerce(shown: str, spec: Arg, value: ArgValue) -> ArgValue:
    """`value`, which may be text from a command line, as the type that an argument has.

    Raises: UsageError when it does not fit; `shown` names the argument in it.
    """
    read_as: dict[type, Callable[[str], ArgValue | None]] = {bool: _as_bool, int: _as_int, str: str}
    fitting = read_as[spec.type](value) if isinstance(value, str) else value
    if spec.type is str and not isinstance(value, str):
        fitting = str(value)
    problem = arg_problem(spec, fitting)
    if problem or fitting is None:
        raise UsageError(f"{shown}={value} {problem}")
    return fitting


def _as_bool(text: str) -> bool | None:
    return {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }.get(text.strip().casefold())


def _as_int(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text.strip()) else None
