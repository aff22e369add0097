"""`pvenix init`: a fleet from the starter files, and its repository on a host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import click

from pvenix.cli.lazy import Command
from pvenix.cli.settings import Output, Settings, talk
from pvenix.model.errors import UsageError

if TYPE_CHECKING:
    from pvenix.wiring import Workspace


class _Remote(Protocol):
    async def init_remote(self, *, take_over: str) -> str:
        """Create the bare repository that site.yaml names and push to it; returns the main branch's tip."""
        ...


@click.command(
    "init",
    cls=Command,
    examples=(
        "pvenix init ~/fleet",
        "pvenix init ~/fleet --remote                           the repository that site.yaml names, on its host",
        "pvenix init ~/fleet --remote --take-over tappaas-cicd  with the history of that host's /etc/nixos",
    ),
)
@click.argument(
    "directory", default=".", type=click.Path(path_type=Path, file_okay=False), help="The fleet's directory."
)
@click.option("--remote", is_flag=True, help="Create the bare repository of site.yaml on its host and push to it.")
@click.option("--take-over", metavar="HOST", default="", help="With --remote: begin with this host's /etc/nixos.")
@click.pass_obj
def command(settings: Settings, /, *, directory: Path, remote: bool, take_over: str) -> None:
    """Start a fleet: inventory, playbooks and Nix files to edit, in a new or empty directory."""
    from pvenix.fleet.load import find_root
    from pvenix.fleet.starter import copy_starter

    if take_over and not remote:
        raise UsageError("--take-over goes with --remote")
    root = directory.resolve()
    written: tuple[Path, ...] = ()
    if not (remote and find_root(root) == root):
        written = copy_starter(root)
        talk(f"{len(written)} files are in {root}")
    tip = _init_remote(settings, root, take_over) if remote else ""
    if settings.output is not Output.TEXT:
        names = [str(path) for path in written]
        click.echo(json.dumps({"schema": "pvenix/init/v1", "root": str(root), "written": names, "main": tip}))
        return
    click.echo(root)
    talk("next: " + (f"pvenix status --fleet {root}" if tip else _next_steps(root)))


def _next_steps(root: Path) -> str:
    return f"edit {root}/inventory/site.yaml, then: pvenix validate --fleet {root}; pvenix init {root} --remote"


def _init_remote(settings: Settings, root: Path, take_over: str) -> str:
    """The commit that the new repository's main branch is at."""
    settings.fleet = root

    async def action(workspace: Workspace) -> str:
        return await cast("_Remote", workspace).init_remote(take_over=take_over)

    return settings.run_async(action)
