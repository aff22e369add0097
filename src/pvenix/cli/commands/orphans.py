"""`pvenix orphans`: what is left at Proxmox that no host has, and its removal."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.prompts import typed
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.starting import start
from pvenix.cli.text import clean
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.orphans import Orphans

if TYPE_CHECKING:
    from pvenix.model.plan import RunPlan
    from pvenix.wiring import Workspace

_HEADER = ("WHAT", "VM", "NODE", "NAME", "HOST", "WHY")


@click.group(
    "orphans",
    cls=Group,
    invoke_without_command=True,
    examples=("pvenix orphans", "pvenix orphans -o json", "pvenix orphans remove 431 --confirm 431"),
)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Show marked VMs that are no host's, stubs of clones, VMs of unfinished runs, and volumes without a VM.

    Nothing is changed. Exit code 3 when there are any.
    """
    if ctx.invoked_subcommand is not None:
        return ExitCode.OK
    settings: Settings = ctx.obj
    found = settings.run_async(_look)
    items = [dataclasses.asdict(each) for each in found.found]
    rows = [
        (each.kind, str(each.vmid), each.node, clean(each.name) or "-", clean(each.host) or "-", clean(each.why))
        for each in found.found
    ]
    show_rows(settings, "orphans", items, _HEADER, rows, unseen=list(found.unseen))
    if settings.output is Output.TEXT:
        for each in found.found:
            talk(f"\n{each.kind} {clean(each.name) or each.vmid}:")
            for way in each.ways:
                talk(f"  {clean(way)}")
        for line in found.unseen:
            talk(f"not seen: {clean(line)}")
    return ExitCode.CHANGES if found.found else ExitCode.OK


@command.command("remove", examples=("pvenix orphans remove 431 -C", "pvenix orphans remove 431 --confirm 431"))
@click.argument("vmid", type=click.IntRange(100, 999_999_999), help="The VM's id.")
@click.option("--confirm", type=int, help="The VM's id once more, typed.")
@click.option("-C", "--check", is_flag=True, help="Show the exact calls and change nothing.")
@click.pass_obj
def remove(settings: Settings, /, *, vmid: int, confirm: int | None, check: bool) -> int:
    """Stop and destroy a VM with our marker that is no host's, with its disks."""
    if confirm not in (None, vmid):
        raise UsageError(f"--confirm {confirm} is not {vmid}", why="nothing was changed")

    async def host_of(workspace: Workspace) -> str:
        return await (await workspace.day_two()).host_of_orphan(vmid)

    host = settings.run_async(host_of)
    if confirm is None and not check:
        typed(settings, f"VM {vmid}, made for {host}, will be destroyed; type its id", str(vmid), f"--confirm {vmid}")

    async def planner(workspace: Workspace) -> RunPlan:
        return workspace.plan_verb("remove-orphan", (host,), args={"vmid": vmid, "confirm": str(vmid)}, check=check)

    return start(settings, planner)


async def _look(workspace: Workspace) -> Orphans:
    return await (await workspace.day_two()).orphans()
