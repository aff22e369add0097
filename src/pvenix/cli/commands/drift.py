"""`pvenix drift`: what was edited on hosts, and the ways out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.documents import show_document
from pvenix.cli.hostsfirst import HostsFirst
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.prompts import confirm
from pvenix.cli.selection import How, host_argument, run_options, select_now
from pvenix.cli.settings import Settings, talk
from pvenix.cli.starting import show_hosts, start
from pvenix.cli.text import clean, style
from pvenix.model.errors import PvenixError
from pvenix.model.paths import quoted, vars_file

if TYPE_CHECKING:
    from pvenix.model.drift import HostDrift
    from pvenix.model.plan import ArgValue, RunPlan
    from pvenix.wiring import Workspace


@click.group(
    "drift",
    cls=HostsFirst,
    default="show",
    examples=(
        "pvenix drift show dns01                        every edited file, with its difference",
        "pvenix drift adopt dns01                       take the edits into the branch edits/dns01, for a review",
        "pvenix drift overwrite dns01                   put them aside on the host, and rebuild it from main",
        "pvenix drift ignore dns01 notes                never call that file drift again",
    ),
)
def command() -> None:
    """Show what was edited in /etc/nixos of hosts, and take it over, overwrite it or ignore it.

    A host that is called like one of these commands is shown by `pvenix drift show HOST`.
    """


@command.command("show", examples=("pvenix drift show dns01", "pvenix drift show dns01 --hardware -o json"))
@host_argument(many=False)
@click.option("--hardware", is_flag=True, help="Let it generate its hardware file anew and compare it; seconds.")
@click.pass_obj
def show(settings: Settings, /, *, host: str, hardware: bool) -> None:
    """Show every edited file of a host with its difference to the commit that it was edited from."""

    async def action(workspace: Workspace) -> HostDrift:
        return await workspace.host_drift(workspace.fleet().host(host).name, hardware=hardware)

    found = settings.run_async(action)
    item: dict[str, Any] = dataclasses.asdict(found)
    for file in item["files"]:
        del file["live"]
    show_document(settings, "drift", item, "\n".join(_lines(found)))


def _lines(found: HostDrift) -> list[str]:
    lines = [clean(line) for line in found.other]
    for file in found.files:
        note = (
            f"ignored by {file.ignored}" if file.ignored else f"cannot be adopted: {file.stays}" if file.stays else ""
        )
        note = note or ("main has this text" if file.merged else "shared by other hosts" if file.shared else "")
        lines += [
            style(f"{clean(quoted(file.path))}  {file.edit.value}  +{file.added} -{file.removed}", "strong")
            + (f"  ({clean(note)})" if note else ""),
            *(clean(line) for line in file.unified.splitlines()),
        ]
    if found.more:
        lines.append(f"and {found.more} more files that are not read")
    if found.hardware is not None and (found.hardware.diff or found.hardware.problem):
        lines += ["hardware, as its generator writes it now:", *map(clean, found.hardware.diff.splitlines())]
        lines += [clean(found.hardware.problem)] if found.hardware.problem else []
    return lines or [f"{found.host} has no edits: /etc/nixos is as {found.checkout[:10]} has it"]


@command.command("adopt", examples=("pvenix drift adopt dns01 -C", "pvenix drift adopt dns01 --hardware"))
@host_argument()
@click.option("--hardware", is_flag=True, help="Take also what the hardware generator writes there now.")
@run_options
@click.pass_obj
def adopt(settings: Settings, /, *, hosts: tuple[str, ...], hardware: bool, how: How) -> int:
    """Take the edits of hosts into the branch edits/HOST of each, to be reviewed and merged; the host stays as it is."""
    args: dict[str, ArgValue] = {"hardware": True} if hardware else {}

    async def planner(workspace: Workspace) -> RunPlan:
        names = await select_now(workspace, hosts, how.limit)
        return workspace.plan_verb("adopt-edits", names, args=args, **how.mode)

    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)


@command.command("overwrite", examples=("pvenix drift overwrite dns01 -C", "pvenix drift overwrite dns01 --yes"))
@host_argument()
@run_options
@click.pass_obj
def overwrite(settings: Settings, /, *, hosts: tuple[str, ...], how: How) -> int:
    """Put the edits of hosts aside (`git stash` in /etc/nixos) and rebuild them from main."""

    async def planner(workspace: Workspace) -> RunPlan:
        names = await select_now(workspace, hosts, how.limit)
        if not how.check and not how.list_hosts:
            settings.refuse_change("start a run")
            await _ask(settings, workspace, names)
        return workspace.plan_verb("rebuild", names, **how.mode)

    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)


async def _ask(settings: Settings, workspace: Workspace, names: Sequence[str]) -> None:
    """Return when the person wants what was named.

    Raises: NothingToDo when no host has edits, UsageError when the answer is no.
    """
    count, unread = 0, 0
    for name in names:
        try:
            lost = await workspace.overwritten(name)
        except PvenixError as error:
            talk(f"{name}: not read: {clean(str(error))}")
            unread += 1
            continue
        count += bool(lost)
        for line in lost:
            talk(f"{name}: {clean(line)}")
    if not count and not unread:
        raise NothingToDo("nothing to do: no host has edits")
    confirm(settings, f"overwrite {count} host{'' if count == 1 else 's'} from main?")


@command.command("ignore", examples=("pvenix drift ignore dns01 notes", "pvenix drift ignore dns01 'nix/local/*'"))
@host_argument(many=False)
@click.argument("path", help="A path in /etc/nixos, a directory, or a pattern such as nix/local/*.")
@click.pass_obj
def ignore(settings: Settings, /, *, host: str, path: str) -> None:
    """Add a path to `machine.drift.ignore` of a host, in this checkout: a rebuild leaves it alone, and it is no drift."""
    with settings.workspace() as workspace:
        diff = workspace.ignore_drift(workspace.fleet().host(host).name, path)
    text = diff.rstrip("\n") or f"{path} is ignored on {host} already"
    show_document(settings, "host-edit", {"host": host, "files": [vars_file(host)], "diff": diff}, text)
