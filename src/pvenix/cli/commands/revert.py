"""`pvenix revert COMMIT [HOST…]`: a commit of main taken back, and the hosts with it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_document
from pvenix.cli.driver import refuse_unasked
from pvenix.cli.lazy import Command
from pvenix.cli.prompts import confirm
from pvenix.cli.selection import PATTERNS, How, complete_hosts, run_options, select_now
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.starting import executed
from pvenix.cli.text import clean, one_line
from pvenix.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pvenix.lifecycle.revert import Reverting
    from pvenix.wiring import Workspace


@click.command(
    "revert",
    cls=Command,
    examples=(
        "pvenix revert 4b825dc642 -C                 what it would take back, and from whom",
        "pvenix revert 4b825dc642                    pushes revert/4b825dc642 for a review",
        "pvenix revert 4b825dc642 --merge            moves main and rebuilds the hosts",
        "pvenix revert 4b825dc642 dns01 --merge      rebuilds that host only",
        "pvenix revert 1c2d3e4..4b825dc642           all that came after the first, up to the second",
    ),
)
@click.argument("commit", help="A commit of the main branch, in full or its first digits; A..B is all after A up to B.")
@click.argument("hosts", nargs=-1, metavar="[HOST...]", shell_complete=complete_hosts, help=PATTERNS)
@click.option("--merge", "merge_too", is_flag=True, help="Move main forward to it, and rebuild the hosts it concerns.")
@run_options
@click.pass_obj
def command(settings: Settings, /, *, commit: str, hosts: tuple[str, ...], merge_too: bool, how: How) -> int:
    """Take a commit of main back, as git revert does, and shows the diff; refuses what later commits changed again.

    Without --merge nothing but the branch `revert/<commit>` is pushed. With it main moves forward to exactly the commit
    that was shown, and the hosts are rebuilt with the usual net under them. Reverting that commit undoes it.
    """
    if (hosts or how.limit) and not merge_too and not how.check:
        raise UsageError("hosts are rebuilt after a merge only", hint="--merge, or leave the hosts out")

    async def action(workspace: Workspace) -> int:
        found = await workspace.reverting(commit)
        names = await select_now(workspace, hosts or found.hosts, how.limit) if hosts or found.hosts else ()
        if how.list_hosts:
            click.echo("\n".join(names))
            return ExitCode.OK
        _show(settings, found, names, ends=how.check)
        if how.check:
            return ExitCode.CHANGES
        if merge_too:
            return await _merge(settings, workspace, found, names, how)
        tip = await workspace.propose_revert(found)
        talk(f"pushed {found.branch} at {tip[:10]}")
        talk(f"next: pvenix review approve {found.branch} --merge && pvenix rebuild {':'.join(names)}")
        return ExitCode.OK

    return settings.run_async(action)


async def _merge(settings: Settings, workspace: Workspace, found: Reverting, names: tuple[str, ...], how: How) -> int:
    from pvenix.model.generation import NOT_UNDONE

    talk("\nnot undone:")
    for line in NOT_UNDONE:
        talk(f"  {line}")
    plan = workspace.plan_verb("rebuild", names, **how.mode) if names else None
    if plan is not None:
        refuse_unasked(settings, plan)
    count = f"{len(names)} host{'s' if len(names) != 1 else ''}"
    confirm(settings, f"move main to {found.tip[:10]} and rebuild {count}?")
    tip = await workspace.merge_revert(found)
    talk(f"main is at {tip[:10]}; in your checkout: git pull")
    return ExitCode.OK if plan is None else await executed(settings, workspace, plan, now=how.now)


def _show(settings: Settings, found: Reverting, names: tuple[str, ...], *, ends: bool) -> None:
    """On stdout where nothing follows, else on stderr: the run that follows prints its own."""
    item = {
        "commit": found.commit.id,
        "since": found.since,
        "subject": found.commit.subject,
        "branch": found.branch,
        "base": found.base,
        "revert": found.tip,
        "files": [dataclasses.asdict(each) for each in found.files],
        "hosts": list(names),
    }
    lines = [
        one_line(f"takes back {found.revision}, {found.commit.author}, {found.commit.at}: {found.commit.subject}"),
        *(clean(each.unified).rstrip("\n") for each in found.files),
        f"concerns: {', '.join(names) or 'no host'}",
    ]
    if ends:
        show_document(settings, "revert", item, "\n".join(lines))
    elif settings.output is Output.TEXT:
        talk("\n".join(lines))
