"""From verbs, playbooks and patterns to the plays of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.model.errors import UsageError
from pvenix.model.plan import ArgValue, PlayPlan, Task

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet


def one_play(tasks: tuple[Task, ...], hosts: Sequence[str]) -> tuple[PlayPlan, ...]:
    """A single play: these tasks on these hosts, all in one wave."""
    verbs = tasks[0].verb if len(tasks) == 1 else f"{tasks[0].verb} … {tasks[-1].verb}"
    shown = ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")
    return (PlayPlan(name=f"{verbs} {shown}", waves=(tuple(hosts),), tasks=tasks),)


def playbook_plays(
    fleet: Fleet,
    path: Path,
    *,
    limit: str,
    tags: Collection[str],
    skip_tags: Collection[str],
    start_at: str,
    extra: Mapping[str, ArgValue],
) -> tuple[PlayPlan, ...]:
    """The plays of a playbook on the hosts that both it and `limit` name.

    Raises: InvalidInput with every finding, UsageError for an unknown host, task or tag.
    """
    from pvenix.fleet.playbook import expand, load_playbook, refuse_unknown_tags, starting_at

    limited = set(fleet.hosts if limit == "all" else fleet.select(limit))  # a play may name a host that is archived
    plays = load_playbook(path, fleet.root)
    refuse_unknown_tags(plays, (*tags, *skip_tags))
    return tuple(
        expand(
            play,
            tuple(host for host in _of_play(fleet, play.hosts.text, path) if host in limited),
            tags=tags,
            skip_tags=skip_tags,
            extra=extra,
        )
        for play in (starting_at(plays, start_at) if start_at else plays)
    )


def _of_play(fleet: Fleet, hosts: str, path: Path) -> tuple[str, ...]:
    """The hosts that a play is for.

    Raises: UsageError naming the playbook, whose first lines say what it needs.
    """
    try:
        return fleet.select(hosts)
    except UsageError as error:
        hint = error.hint or f"the first lines of {path} say what it is for"
        raise UsageError(error.what, why=f"{path} is for `{hosts[:80]}`", hint=hint) from error
