"""`pvenix snapshots HOST…`."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Command
from pvenix.cli.selection import host_argument, select_now
from pvenix.cli.settings import Settings
from pvenix.cli.text import clean

if TYPE_CHECKING:
    from pvenix.model.snapshots import HostSnapshot
    from pvenix.wiring import Workspace

_HEADER = ("HOST", "VM", "SNAPSHOT", "AFTER", "TAKEN (UTC)", "MEMORY", "WHOSE", "STATE", "DESCRIPTION")


@click.command("snapshots", cls=Command, examples=("pvenix snapshots dns01", "pvenix snapshots all -o json"))
@host_argument()
@click.pass_obj
def command(settings: Settings, /, *, hosts: tuple[str, ...]) -> None:
    """List the snapshots of hosts, each after the one that it was taken after; those of others too."""

    async def action(workspace: Workspace) -> list[HostSnapshot]:
        names = await select_now(workspace, hosts)
        return [each async for each in (await workspace.day_two()).snapshots(names)]

    found = settings.run_async(action)
    show_rows(settings, "snapshots", [dataclasses.asdict(each) for each in found], _HEADER, map(_row, found))


def _row(each: HostSnapshot) -> tuple[str, ...]:
    state = each.unfinished and f"unfinished: {each.unfinished}"
    return (
        each.host,
        str(each.vmid),
        clean(each.name),
        clean(each.parent) or "-",
        f"{datetime.fromtimestamp(each.taken_at, UTC):%F %T}",
        "yes" if each.memory else "no",
        "ours" if each.ours else "theirs",
        state or ("present" if each.present else ""),
        clean(each.description),
    )
