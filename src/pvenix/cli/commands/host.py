"""`pvenix host`: one host of the inventory, in the files of this checkout, and what it says itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.commands import hostlooks
from pvenix.cli.documents import show_document
from pvenix.cli.lazy import Group
from pvenix.cli.selection import host_argument
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import one_line, plain_value, reached, style
from pvenix.cli.values import split_pair
from pvenix.model.act import Act
from pvenix.model.names import host_name
from pvenix.model.paths import vars_file

if TYPE_CHECKING:
    from pvenix.fleet.layers import Explained
    from pvenix.fleet.load import Fleet

FIELDS = "Other machine fields, such as proxmox.node=tappaas2 or tags=[web]."


@click.group(
    "host",
    cls=Group,
    examples=("pvenix host add dns02 --role base --role dns --zone core13", "pvenix host edit dns02 memory=8G"),
)
def command() -> None:
    """Add, edit or show a host, in the files of this checkout; read its units, journal and cloud-init drive.

    Edits change files and commit nothing.
    """


for _look in (hostlooks.units, hostlooks.journal, hostlooks.cloudinit):
    command.add_command(_look)


@command.command(
    "add",
    examples=(
        "pvenix host add dns02 --role base --role dns --group core --zone core13 --address 10.69.13.6/24",
        "pvenix host add web01 --class medium --zone srvHome proxmox.node=tappaas2",
    ),
)
@click.argument("name", help="The new host's name.")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...", help=FIELDS)
@click.option("--role", "roles", multiple=True, help="A role; repeated for more.")
@click.option("--class", "size_class", help="A VM size of site.yaml.")
@click.option("--group", "groups", multiple=True, help="A group of hosts.yaml; repeated for more.")
@click.option("--zone", help="A network zone of site.yaml.")
@click.option("--address", help="dhcp, or IP/prefix.")
@click.pass_obj
def add(
    settings: Settings,
    /,
    *,
    name: str,
    fields: tuple[str, ...],
    groups: tuple[str, ...],
    **options: Any,
) -> None:
    """List a new host in inventory/hosts.yaml; the file keeps every other byte."""
    import asyncio

    from pvenix.model.newhost import NewHost

    new = NewHost(name=host_name(name), groups=groups, machine=_machine(options, fields))
    with settings.workspace() as workspace:
        added = asyncio.run(workspace.add_host(new))
    _show_diff(settings, new.name, [added.file], added.diff)
    if added.staged:
        file = added.file.rpartition("/")[2]
        talk(f"{file} is staged: registration commits the line, and git pull brings it when it is merged")
    talk(f"next: pvenix run playbooks/onboard.yaml -l {new.name}")


@command.command(
    "edit",
    examples=("pvenix host edit dns01 memory=8G cores=4", "pvenix host edit dns01 tags+=public network.address=dhcp"),
)
@host_argument(many=False)
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...", help=FIELDS)
@click.pass_obj
def edit(settings: Settings, /, *, host: str, fields: tuple[str, ...]) -> None:
    """Set machine fields of a host where it has them: in hosts.yaml or its claim, else in its host_vars file."""
    from pvenix.fleet.edit import set_claim, set_inline, set_machine
    from pvenix.fleet.layers import CLAIM

    with settings.loaded() as fleet:
        name = fleet.host(host).name
        texts: dict[Path, str] = {}
        for field in fields:
            key, value = _field(field)
            path, layer = _place(fleet, name, key)
            text = texts.get(path)
            if text is None:
                text = path.read_text(encoding="utf-8") if path.exists() else ""
            if layer == CLAIM:
                texts[path] = set_claim(text, name, key, value)
            else:
                texts[path] = set_inline(text, name, key, value) if layer == "host" else set_machine(text, key, value)
        _save(settings, fleet, name, texts)


@command.command("show", examples=("pvenix host show dns01", "pvenix host show dns01 -o json"))
@host_argument(many=False)
@click.pass_obj
def show(settings: Settings, /, *, host: str) -> None:
    """Show a host with all layers on each other, and the file that says so."""
    from pvenix.cli.groups import merged

    with settings.workspace() as workspace:
        fleet = workspace.fleet()
        found, seen = fleet.host(host), workspace.sightings.get(host)
        where = reached(seen.address, seen.why, seen.at, datetime.now(UTC).isoformat())
        head = [
            f"{style(found.name, 'strong')}  {found.fqdn}",
            f"listed at {found.file}:{found.line}, groups {', '.join(found.groups) or '-'}",
            *([f"last reached at {where}"] if where else []),
            "",
        ]
        explained = fleet.explain(found.name)
        width = max(len(each.field) for each in explained)
        item = {
            "host": found.name,
            "fqdn": found.fqdn,
            "groups": list(found.groups),
            "file": found.file,
            "line": found.line,
            "reached": {"address": seen.address, "why": seen.why, "at": seen.at} if seen.address else None,
            "machine": merged(fleet, found.name),
        }
        show_document(settings, "host", item, "\n".join([*head, *(_row(each, width) for each in explained)]))


def _row(each: Explained, width: int) -> str:
    origin = each.origins[0]
    place = origin.layer if origin.layer in ("built-in", "--set") else f"{origin.file}:{origin.line}"
    return f"  {each.field:<{width}}  {one_line(plain_value(each.value))}  ({place})"


def _machine(options: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The inline fields of a new host, in the order in which people write them."""
    machine: dict[str, Any] = {}
    if options["size_class"]:
        machine["class"] = options["size_class"]
    if options["roles"]:
        machine["roles"] = list(options["roles"])
    network = {key: options[key] for key in ("zone", "address") if options[key]}
    if network:
        machine["network"] = network
    for field in fields:
        (*path, last), value = _field(field)
        place = machine
        for key in path:
            place = place.setdefault(key, {})
        place[last] = value
    return machine


def _field(text: str) -> tuple[tuple[str, ...], Any]:
    """The path and the value of `FIELD=VALUE`; the value is read as YAML."""
    from pvenix.fleet.yaml import parse

    name, value = split_pair(text, "FIELD=VALUE")
    node = parse(value, "command line")
    plain = node.plain() if node is not None else None
    if name.endswith("+") and not isinstance(plain, list):
        plain = [plain]
    return tuple(name.removeprefix("machine.").split(".")), plain


def _place(fleet: Fleet, host: str, field: tuple[str, ...]) -> tuple[Path, str]:
    """The file in which a host's field is or belongs, and the layer: `host` is inline in hosts.yaml."""
    from pvenix.fleet.layers import CLAIM

    own = fleet.root / vars_file(host)
    wanted = ".".join(field).removesuffix("+")
    for each in fleet.explain(host):
        if each.field == wanted or each.field.startswith(f"{wanted}."):
            origin = each.origins[0]
            if origin.layer in ("host_vars", "host", CLAIM):
                return fleet.root / origin.file, origin.layer
    return own, "host_vars"


def _save(settings: Settings, fleet: Fleet, host: str, texts: Mapping[Path, str]) -> None:
    from pvenix.fleet.editing import apply_edits

    settings.refuse_edit()
    diff = apply_edits(fleet.root, texts, inventory=settings.inventory)
    if diff:
        files = " ".join(path.relative_to(fleet.root).as_posix() for path in texts)
        settings.open(fleet.root).note(Act.EDIT_HOST, host=host, about=files)
    _show_diff(settings, host, [path.relative_to(fleet.root).as_posix() for path in texts], diff)


def _show_diff(settings: Settings, host: str, files: Sequence[str], diff: str) -> None:
    item = {"host": host, "files": list(files), "diff": diff}
    show_document(settings, "host-edit", item, diff.rstrip("\n") or "nothing to change")
