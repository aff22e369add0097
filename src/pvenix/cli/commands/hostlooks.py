"""`pvenix host units|journal|cloudinit`: what a host itself, and its cloud-init drive, say now; nothing is changed."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Command
from pvenix.cli.selection import host_argument
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import clean, one_line, style, table
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.inspection import PRIORITIES

if TYPE_CHECKING:
    from pvenix.model.inspection import CloudInitKey, CloudInitLook, UnitList, UnitLook
    from pvenix.wiring import Workspace


@click.command(
    "units",
    cls=Command,
    examples=(
        "pvenix host units dns01                       failed ones first",
        "pvenix host units dns01 --failed              only those",
        "pvenix host units dns01 unbound.service       that one, with the end of its journal",
    ),
)
@host_argument(many=False)
@click.argument("unit", required=False, default="", help="One unit, in full.")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.pass_obj
def units(settings: Settings, /, *, host: str, unit: str, failed: bool) -> None:
    """Show the systemd units of a host, or one of them closely."""

    async def one(workspace: Workspace) -> UnitLook:
        return await workspace.unit(workspace.fleet().host(host).name, unit)

    async def every(workspace: Workspace) -> UnitList:
        return await workspace.units(workspace.fleet().host(host).name)

    if unit:
        look = settings.run_async(one)
        text = "\n".join([clean(look.status).rstrip("\n"), "", clean(look.journal).rstrip("\n")])
        show_document(settings, "host-unit", {"host": host, **dataclasses.asdict(look)}, text)
        return
    found = settings.run_async(every)
    listed = [each for each in found.units if each.failed or not failed]
    rows = [(each.name, each.load, each.active, each.sub, one_line(each.description)) for each in listed]
    items = [dataclasses.asdict(each) for each in listed]
    header = ("UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION")
    show_rows(settings, "units", items, header, rows, status=2, host=host, more=found.more)


@click.command(
    "journal",
    cls=Command,
    examples=(
        "pvenix host journal dns01 -n 50",
        "pvenix host journal dns01 --unit unbound.service -p warning",
        "pvenix host journal dns01 -f                  lines as they come; ctrl-c ends it",
    ),
)
@host_argument(many=False)
@click.option("-u", "--unit", default="", metavar="UNIT", help="Only this unit.")
@click.option("-p", "--priority", type=click.Choice(PRIORITIES), metavar="LEVEL",
              help="Only this level and worse: " + ", ".join(PRIORITIES) + ".")  # fmt: skip
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=200, show_default=True, help="The newest N.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.pass_obj
def journal(settings: Settings, /, *, host: str, unit: str, priority: str | None, lines: int, follow: bool) -> int:
    """Print the journal of a host, oldest line first."""
    if follow and settings.output is Output.JSON:
        raise UsageError("one JSON document has an end, and what is followed has none", hint="-o jsonl")
    gathered: list[str] = []

    async def read(workspace: Workspace) -> None:
        name = workspace.fleet().host(host).name
        pieces = workspace.journal(name, unit=unit, priority=priority or "", lines=lines, follow=follow)
        async for piece in pieces:
            match settings.output:
                case Output.JSON:
                    gathered.extend(piece)
                case Output.JSONL:
                    click.echo("\n".join(json.dumps({"host": name, "line": line}) for line in piece))
                case Output.TEXT:
                    click.echo("\n".join(piece))

    try:
        settings.run_async(read)
    except KeyboardInterrupt:
        if not follow:
            raise
    if settings.output is Output.JSON:
        show_document(settings, "host-journal", {"host": host, "unit": unit, "lines": gathered}, "")
    return ExitCode.OK


@click.command(
    "cloudinit",
    cls=Command,
    examples=("pvenix host cloudinit dns01", "pvenix host cloudinit dns01 -o json"),
)
@host_argument(many=False)
@click.pass_obj
def cloudinit(settings: Settings, /, *, host: str) -> None:
    """Show what the cloud-init drive of a host's VM is told, against the inventory; passwords are asterisks."""

    async def read(workspace: Workspace) -> CloudInitLook:
        return await workspace.cloud_init(workspace.fleet().host(host).name)

    look = settings.run_async(read)
    item: dict[str, Any] = {
        "host": host,
        "keys": [dataclasses.asdict(each) for each in look.keys],
        "files": dict(look.files),
        "problem": look.problem,
    }
    show_document(settings, "host-cloudinit", item, "\n".join(_told(look)))


def _told(look: CloudInitLook) -> list[str]:
    rows = [(each.key, one_line(each.value) or "-", _note(each)) for each in look.keys]
    lines = [table(("KEY", "VALUE", "NOTES"), rows)] if rows else ["the VM has no cloud-init options"]
    for name, text in look.files.items():
        lines += ["", style(name, "strong"), clean(text).rstrip("\n")]
    return [*lines, *(["", f"the files are not known: {one_line(look.problem)}"] if look.problem else [])]


def _note(key: CloudInitKey) -> str:
    """What a person should know of an option, empty when all is well."""
    parts = [
        f"the inventory wants {key.wanted} ({key.where})" if key.wanted else "",
        "waits for the next cold start" if key.waiting else "",
    ]
    return one_line("; ".join(part for part in parts if part))
