"""`pvenix rollback HOST… --to N | --before RUN`, `pvenix rollback HOST=N…`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from pvenix.cli.lazy import Command
from pvenix.cli.prompts import confirm
from pvenix.cli.selection import How, host_argument, run_options, select_now
from pvenix.cli.settings import Settings, talk
from pvenix.cli.starting import show_hosts, start
from pvenix.cli.text import clean
from pvenix.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from pvenix.lifecycle.goingback import Prospect
    from pvenix.model.plan import ArgValue, RunPlan
    from pvenix.wiring import Workspace

_AIM: Final = re.compile(r"[^=:,&!]+=[^=:,&!]+")
"""What may have been meant as a host and its generation, or as a fact."""


@click.command(
    "rollback",
    cls=Command,
    examples=(
        "pvenix generations dns01",
        "pvenix rollback dns01 --to 41",
        "pvenix rollback dns01=41 web01=7                 each host to its own",
        "pvenix rollback all --before last                what they ran before the newest run",
        "pvenix rollback all --before 20250314-091500-3f2a -C",
    ),
)
@host_argument(required=False)
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="The generation's number.")
@click.option(
    "--before", metavar="RUN", help="What each host ran before this run; `last` is the newest that activated anything."
)
@click.option("--boot", is_flag=True, help="Only make it the boot default; what runs stays until a reboot.")
@run_options
@click.pass_obj
def command(
    settings: Settings, /, *, hosts: tuple[str, ...], to: int | None, before: str | None, boot: bool, how: How
) -> int:
    """Activate what hosts ran before, with the same net under it as a rebuild: it goes back unless it is confirmed.

    Before it asks it says where each host goes and what that does not undo. It is a run like any other, so
    `--before` the rollback's own run undoes it. To take a commit back: pvenix revert.
    """
    if not hosts and not how.limit:
        raise UsageError("rollback which hosts?", hint="pvenix rollback HOST --to N, pvenix rollback all --before last")

    async def planner(workspace: Workspace) -> RunPlan:
        if not how.check and not how.list_hosts:
            settings.refuse_change("start a run")
        aims = _aims(workspace.fleet().hosts, hosts)
        _refuse_unclear(aims, hosts, to, before)
        names = await select_now(workspace, tuple(aims) or hosts, how.limit)
        if how.list_hosts:
            return workspace.plan_verb("rollback", names)
        run = workspace.run_to_undo(before) if before else None
        if run is not None:
            talk(f"before run {run.run}: {clean(run.plan().title)}")
        found = await workspace.prospects(names, to=aims or to or 0, run=run)
        _show(found)
        if not how.check and any(each.changes for each in found):
            count = sum(each.changes for each in found)
            confirm(settings, f"go back on {count} host{'s' if count != 1 else ''}?")
        args: dict[str, ArgValue] = {**({"to": to} if to else {}), **({"boot": True} if boot else {})}
        plan = workspace.plan_verb("rollback", names, args=args, **how.mode)
        return plan if to else replace(plan, decisions=dict(workspace.decided(found)))

    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)


def _aims(known: Container[str], words: Sequence[str]) -> dict[str, int]:
    """The generation of each host that is given its own, as in `dns01=41`; other words are patterns."""
    parts = (word.rpartition("=") for word in words)
    return {host: int(number) for host, _, number in parts if host in known and number.isascii() and number.isdecimal()}


def _refuse_unclear(aims: Mapping[str, int], words: Sequence[str], to: int | None, before: str | None) -> None:
    """Return when it is said exactly once where each host goes.

    Raises: UsageError.
    """
    if aims and (len(aims) != len(words) or to is not None or before is not None or not all(aims.values())):
        raise UsageError(
            "rollback to what?",
            why="where one host is given its own generation, each is, once, and neither --to nor --before",
            hint="pvenix rollback HOST=N HOST=N, with generations from 1 on",
        )
    if not aims and any(_AIM.fullmatch(word) for word in words) and to is None and before is None:
        raise UsageError(
            f"{clean(' '.join(words))[:80]}: no host and one of its generations",
            why="HOST=N needs the exact name of a host, and a number",
            hint="pvenix generations HOST, pvenix inventory list",
        )
    if not aims and (to is None) == (before is None):
        why = "exactly one of --to and --before says it, or HOST=N for each host"
        raise UsageError("rollback to what?", why=why, hint="pvenix runs list")


def _show(found: Sequence[Prospect]) -> None:
    """Where each host goes, and what stays as it is; on stderr, as the run that follows prints its own."""
    from pvenix.lifecycle.goingback import shown
    from pvenix.model.generation import NOT_UNDONE

    for each in found:
        if each.skip or each.problem:
            talk(f"{each.host}: {clean(each.skip or each.problem)}")
            continue
        talk(f"{each.host}: from generation {each.now} to {clean(shown(each.number, each.path))}")
        for line in each.limits:
            talk(f"  {clean(line)}")
    if any(each.changes for each in found):
        talk("\nnot undone:")
        for line in NOT_UNDONE:
            talk(f"  {line}")
