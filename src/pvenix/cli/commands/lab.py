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
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), help="Another fleet to copy.")
@click.pass_obj
def up(
    settings: Settings, *, directory: Path, hosts: int, seed: int | None, speed: float | None, source: Path | None
) -> None:
    """Start a site in a new directory and return when it answers."""
    lab = lab_up(directory, source or fleet_source(settings.start), Wish(hosts=hosts, seed=seed, speed=speed))
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
        "pvenix lab fault /tmp/lab build-fails --host dns01",
        "pvenix lab fault /tmp/lab clone-slow --times 0 --arg seconds=5",
    ),
)
@DIRECTORY
@click.argument("name", help="The fault; a wrong name lists them.")
@click.option("--host", help="Only this host; without it, whichever comes first.")
@click.option("--times", type=click.IntRange(0), default=1, show_default=True, help="How often; 0 is until cleared.")
@click.option("--arg", "args", multiple=True, metavar="KEY=VALUE", help="A detail of the fault.")
def fault(directory: Path, name: str, host: str | None, times: int, args: tuple[str, ...]) -> None:
    """Make the site misbehave in a named way."""
    from pvenix.cli.values import pairs

    ask(find_lab(directory), "fault", name=name, host=host, times=times, args=pairs(args, "--arg"))
    talk(f"lab: {name} is armed" + (f" for {host}" if host else ""))


@command.command("clear", examples=("pvenix lab clear /tmp/lab",))
@DIRECTORY
def clear(directory: Path) -> None:
    """Disarm every fault."""
    ask(find_lab(directory), "clear")
    talk("lab: no fault is armed")


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
