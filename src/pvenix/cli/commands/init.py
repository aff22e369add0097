"""`pvenix init`: a fleet from the starter files, and its repository on a host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.settings import Output, Settings, talk
from pvenix.model.errors import UsageError

if TYPE_CHECKING:
    from pvenix.model.initialised import Initialised
    from pvenix.wiring import Workspace


@click.command(
    "init",
    cls=Command,
    examples=(
        "pvenix init ~/fleet",
        "pvenix init ~/fleet --remote  make the repository that site.yaml names, and ~/fleet its clone",
    ),
)
@click.argument(
    "directory", default=".", type=click.Path(path_type=Path, file_okay=False), help="The fleet's directory."
)
@click.option(
    "--remote",
    is_flag=True,
    help="Create the bare repository of site.yaml on its host, begin it with that host's /etc/nixos, and push to it.",
)
@click.pass_obj
def command(settings: Settings, /, *, directory: Path, remote: bool) -> None:
    """Start a fleet: inventory, playbooks and Nix files to edit, in a new or empty directory."""
    from pvenix.fleet.root import find_root
    from pvenix.fleet.starter import copy_starter

    if remote and settings.lab:
        raise UsageError("a lab has its repository already", hint="pvenix init DIR --remote, without --lab")
    root = directory.resolve()
    written: tuple[Path, ...] = ()
    if not (remote and find_root(root) == root):
        written = copy_starter(root)
        talk(f"{len(written)} files are in {root}")
    done = _init_remote(settings, root) if remote else None
    if settings.output is not Output.TEXT:
        click.echo(json.dumps(_document(root, written, done)))
        return
    click.echo(root)
    if done is None:
        talk(
            f"next: edit {root}/inventory/site.yaml, then: pvenix validate --fleet {root}; pvenix doctor --fleet {root}"
        )
        return
    talk(f"main is at {done.tip[:10]}" if done.changed else f"nothing to do: main is at {done.tip[:10]}")
    for line in (*done.advice, f"pvenix status --fleet {root}"):
        talk(f"next: {line}")


def _document(root: Path, written: tuple[Path, ...], done: Initialised | None) -> dict[str, object]:
    """What happened, schema `pvenix/init/v1`; `main` is empty without `--remote`."""
    return {
        "schema": "pvenix/init/v1",
        "root": str(root),
        "written": [str(path) for path in written],
        "main": done.tip if done else "",
        "changed": bool(written) or (done is not None and done.changed),
        "advice": done.advice if done else (),
    }


def _init_remote(settings: Settings, root: Path) -> Initialised:
    settings.fleet = root

    async def action(workspace: Workspace) -> Initialised:
        return await workspace.init_remote(talk)

    return settings.run_async(action)
