"""`pvenix lab`: a simulated site to learn and to test on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from pvenix.cli.lab import Wish, ask, find_lab, fleet_source, is_left_behind, lab_down, lab_up
from pvenix.cli.lazy import Group
from pvenix.cli.prompts import confirm
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.text import one_line, table

_COLUMNS = ("name", "vmid", "node", "status", "addresses", "ssh", "current")
DIRECTORY = click.argument(
    "directory", type=click.Path(path_type=Path, file_okay=False, resolve_path=True), help="The lab's directory."
)


@click.group(
    "lab",
    cls=Group,
    examples=("pvenix lab up /tmp/lab", "cd /tmp/lab/fleet && pvenix status", "pvenix lab down /tmp/lab"),
)
def command() -> None:
    """Start, inspect, break and stop a simulated site: Proxmox, guests and Git over real sockets on this machine."""


@command.command("up", examples=("pvenix lab up /tmp/lab", "pvenix lab up /tmp/lab --hosts 100 --seed 7"))
@DIRECTORY
@click.option("--hosts", type=click.IntRange(0, 500), default=0, help="Hosts beside those of the fleet.")
@click.option("--seed", type=int, help="The same seed gives the same site.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="How many times faster clones and boots are.")
@click.option("--pve", type=click.Choice(["8.4", "9.2"]), help="The release of Proxmox VE; 8.4 unless given.")
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), help="Another fleet to copy.")
@click.pass_obj
def up(settings: Settings, /, *, directory: Path, source: Path | None, **wishes: Any) -> None:
    """Start a site in a new directory and return when it answers."""
    lab = lab_up(directory, source or fleet_source(settings.start), Wish(**wishes))
    if settings.output is not Output.TEXT:
        click.echo(json.dumps({"schema": "pvenix/lab/v1", "name": lab.name, "pid": lab.pid, "fleet": str(lab.fleet)}))
        return
    click.echo(lab.fleet)
    talk(f"lab: {lab.name} is up, process {lab.pid}; its addresses and keys are in {lab.folder}/lab.json")
    talk(f"next: cd {lab.fleet} && pvenix status")


@command.command("status", examples=("pvenix lab status /tmp/lab", "pvenix lab status /tmp/lab -o json"))
@DIRECTORY
@click.pass_obj
def status(settings: Settings, directory: Path) -> None:
    """Show hosts, the counters of what clients changed, and the faults that are armed."""
    lab = find_lab(directory)
    answer = ask(lab, "status")
    answer.pop("ok", None)
    if settings.output is not Output.TEXT:
        click.echo(json.dumps({"schema": "pvenix/lab-status/v1", "name": lab.name, "pid": lab.pid, **answer}))
        return
    click.echo(f"{lab.name}, process {lab.pid}\n")
    rows = [[_cell(host.get(key)) for key in _COLUMNS] for host in answer.get("hosts", [])]
    click.echo(table([key.upper() for key in _COLUMNS], rows))
    counters = answer.get("counters", {})
    click.echo("\n" + table(["COUNTER", "COUNT"], [(name, str(count)) for name, count in counters.items()]))
    faults = answer.get("faults", [])
    armed = [[_cell(fault.get(key)) for key in ("name", "host", "times", "args")] for fault in faults]
    click.echo("\n" + (table(["FAULT", "HOST", "TIMES", "ARGUMENTS"], armed) if armed else "no fault is armed"))


@command.command("down", examples=("pvenix lab down /tmp/lab", "pvenix lab down /tmp/lab --remove --yes"))
@DIRECTORY
@click.option("--remove", is_flag=True, help="Remove the directory too.")
@click.pass_obj
def down(settings: Settings, directory: Path, *, remove: bool) -> None:
    """Stop a site and see its process gone; its files stay unless told otherwise."""
    lab = None if is_left_behind(directory) else find_lab(directory)
    if remove:
        confirm(settings, f"remove {directory} and everything in it?")
    ran = lab is not None and lab_down(lab)
    talk(f"lab: {directory} is down" if ran else f"lab: {directory} did not run")
    if remove:
        shutil.rmtree(directory)
        talk(f"lab: {directory} is removed")


@command.command(
    "fault",
    examples=(
        "pvenix lab fault /tmp/lab --list",
        "pvenix lab fault /tmp/lab build-fails --host dns01",
        "pvenix lab fault /tmp/lab F05 --host web-001 --for 30",
        "pvenix lab fault /tmp/lab pve-status --nth 3 --arg status=503",
    ),
)
@DIRECTORY
@click.argument("name", required=False, help="The fault, or a row such as F05; --list shows them.")
@click.option("--list", "listing", is_flag=True, help="Show every fault with its rows and arguments, and arm none.")
@click.option("--host", help="Only this host; without it, whichever comes first.")
@click.option("--times", type=click.IntRange(0), help="How often; 0 is until cleared.  [default: 1, or until cleared]")
@click.option("--nth", type=click.IntRange(1), help="From the n-th call or command on that it could strike.")
@click.option("--after", "after_s", type=click.FloatRange(0), metavar="SECONDS", help="Not before so many seconds.")
@click.option("--for", "for_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Only for so long.")
@click.option("--chance", type=click.FloatRange(0, 1, min_open=True), help="How likely it strikes each time.")
@click.option("--arg", "args", multiple=True, metavar="KEY=VALUE", help="A detail of the fault.")
@click.pass_obj
def fault(
    settings: Settings,
    /,
    *,
    directory: Path,
    name: str | None,
    listing: bool,
    host: str | None,
    args: tuple[str, ...],
    **schedule: float | None,
) -> None:
    """Make the site misbehave in a named way."""
    from pvenix.cli.values import pairs

    lab = find_lab(directory)
    if listing or name is None:
        _show_catalogue(settings, ask(lab, "faults"))
        return
    when = {key: value for key, value in schedule.items() if value is not None}
    armed = ask(lab, "fault", name=name, host=host, args=pairs(args, "--arg"), **when).get("fault", {})
    meant = armed.get("name", name)
    talk(f"lab: {meant} is armed" + (f" for {host}" if host else "") + (f", as {name}" if meant != name else ""))


def _show_catalogue(settings: Settings, answer: dict[str, Any]) -> None:
    """Every fault that the lab knows, and the rows that need or can have none."""
    answer.pop("ok", None)
    if settings.output is not Output.TEXT:
        click.echo(json.dumps({"schema": "pvenix/lab-faults/v1", **answer}))
        return
    rows = [
        [_cell(spec["name"]), _cell(spec["rows"]), _cell(spec["kind"]), _cell(spec["what"]), _arguments(spec)]
        for spec in answer.get("catalogue", [])
    ]
    click.echo(table(["FAULT", "ROWS", "KIND", "WHAT", "ARGUMENTS"], rows))
    bare = [[name, row["what"], row["note"]] for name, row in answer.get("rows", {}).items() if not row["fault"]]
    click.echo("\n" + table(["ROW", "WHAT", "WITHOUT A FAULT"], bare))


def _arguments(spec: dict[str, Any]) -> str:
    return _cell([f"{arg['name']}={arg['default']} ({arg['type']})" for arg in spec["arguments"]])


@command.command("clear", examples=("pvenix lab clear /tmp/lab", "pvenix lab clear /tmp/lab agent-absent --host dns01"))
@DIRECTORY
@click.argument("name", required=False, help="Only this fault.")
@click.option("--host", help="Only those of this host.")
def clear(directory: Path, name: str | None, host: str | None) -> None:
    """Disarm every fault; what held until now ends."""
    given = {key: value for key, value in (("name", name), ("host", host)) if value is not None}
    ask(find_lab(directory), "clear", **given)
    talk(f"lab: {name or 'no fault'} is {'no longer ' if name else ''}armed")


@command.command("reset-counters", examples=("pvenix lab reset-counters /tmp/lab",))
@DIRECTORY
def reset_counters(directory: Path) -> None:
    """Set the counters of what clients changed to zero."""
    ask(find_lab(directory), "reset-counters")
    talk("lab: counters are zero")


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case dict():
            return one_line(", ".join(f"{key}={each}" for key, each in value.items())) or "-"
        case list():
            return one_line(", ".join(str(each) for each in value)) or "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return one_line(str(value)).removeprefix("/nix/store/")
