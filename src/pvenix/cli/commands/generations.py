"""`pvenix generations HOST`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Command
from pvenix.cli.selection import host_argument
from pvenix.cli.settings import Settings

if TYPE_CHECKING:
    from pvenix.model.generation import Generation
    from pvenix.wiring import Workspace


@click.command("generations", cls=Command, examples=("pvenix generations dns01", "pvenix generations dns01 -o json"))
@host_argument(many=False)
@click.pass_obj
def command(settings: Settings, host: str) -> None:
    """List the system generations of a host, newest first, with the commits they were built from."""

    async def action(workspace: Workspace) -> tuple[Generation, ...]:
        return await workspace.generations(workspace.fleet().host(host).name)

    generations = sorted(settings.run_async(action), key=lambda each: each.number, reverse=True)
    show_rows(
        settings,
        "generations",
        [dataclasses.asdict(each) for each in generations],
        ("NUMBER", "DATE", "COMMIT", "CURRENT", "PATH"),
        [
            (str(each.number), each.date, each.revision[:12] or "-", "current" if each.current else "", each.path)
            for each in generations
        ],
        host=host,
    )
