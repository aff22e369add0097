"""`pvenix console HOST`."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_document
from pvenix.cli.lazy import Command
from pvenix.cli.selection import host_argument
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import clean, style
from pvenix.model.errors import ExitCode, RemoteFailure
from pvenix.model.secret import KNOWN

if TYPE_CHECKING:
    from pvenix.model.status import Console, Way
    from pvenix.wiring import Workspace


@click.command(
    "console",
    cls=Command,
    examples=("pvenix console dns01", "pvenix console dns01 --open", "pvenix console dns01 --serial --open"),
)
@host_argument(many=False)
@click.option("--open", "opening", is_flag=True, help="Run the command instead of printing it.")
@click.option("--serial", is_flag=True, help="The serial console, which answers before the network does.")
@click.pass_obj
def command(settings: Settings, /, *, host: str, opening: bool, serial: bool) -> int:
    """Print the ways to a host's console: SSH with its pinned key, the serial port, the screen in Proxmox' web page.

    With --open the first way that works is taken, SSH before the serial port. Exit code 1 when there is none; else that
    of the command.
    """

    async def action(workspace: Workspace) -> Console:
        return await workspace.console(workspace.fleet().host(host).name)

    found = settings.run_async(action)
    ways = [way for way in found.ways if not serial or way.kind == "serial"]
    if opening:
        return _open(found, ways)
    item = dataclasses.asdict(dataclasses.replace(found, ways=tuple(ways)))
    show_document(settings, "console", item, _text(found, ways))
    return ExitCode.OK if any(not way.problem for way in ways) else ExitCode.FAILED


def _open(found: Console, ways: list[Way]) -> int:
    way = next((way for way in ways if way.argv and not way.problem), None)
    if way is None:
        reasons = tuple(f"{way.kind}: {way.problem or 'opens in a browser'}" for way in ways)
        raise RemoteFailure(
            f"no console of {found.host} can be opened here",
            why=found.problem or "; ".join(reasons),
            hint=next((way.url for way in found.ways if way.url), f"pvenix boot {found.host}"),
            code="PVX0595",
        )
    talk(f"{clean(shlex.join(way.argv))}")
    return subprocess.run(way.argv, check=False, env=KNOWN.environment()).returncode


def _text(found: Console, ways: list[Way]) -> str:
    place = f"VM {found.vmid} on {found.node}, {found.power or 'state unknown'}" if found.vmid else found.problem
    lines = [f"{style(found.host, 'strong')}  {clean(place)}"]
    for way in ways:
        lines.append(f"  {way.kind:<7} {clean(way.url or shlex.join(way.argv)) or '-'}")
        if way.problem:
            lines.append(f"          not now: {clean(way.problem)}" + (f" ({clean(way.hint)})" if way.hint else ""))
    return "\n".join(lines)
