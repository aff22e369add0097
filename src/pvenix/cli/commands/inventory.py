"""`pvenix inventory`: what the files say once all layers are on each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.selection import host_argument, select
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import one_line, plain_value, style

if TYPE_CHECKING:
    from pvenix.fleet.layers import Explained, Origin

_COLUMNS = ("HOST", "STATE", "CLASS", "ROLES", "ZONE", "ADDRESS", "VMID", "NODE", "GROUPS")


@click.group(
    "inventory",
    cls=Group,
    examples=("pvenix inventory list", "pvenix inventory explain dns01 network", "pvenix inventory graph"),
)
def command() -> None:
    """List hosts, explain where a value comes from, draw the groups, or export for Ansible."""


@command.command(
    "list",
    examples=(
        "pvenix inventory list role_dns",
        "pvenix inventory list --host dns01        the merged fields of one host",
        "pvenix inventory list --ansible           JSON for `ansible -i` as a dynamic inventory",
    ),
)
@host_argument(required=False)
@click.option("--host", "one", metavar="HOST", help="Print the merged fields of one host as JSON.")
@click.option("--graph", is_flag=True, help="Draw the groups, as `inventory graph`.")
@click.option("--ansible", is_flag=True, help="Print a dynamic inventory for Ansible.")
@click.pass_obj
def list_hosts(settings: Settings, /, *, hosts: tuple[str, ...], one: str | None, graph: bool, ansible: bool) -> None:
    """List the hosts that are meant, or all; hosts that are not managed only when named."""
    from pvenix.cli import groups

    with settings.loaded() as fleet:
        if one:
            click.echo(json.dumps({"machine": groups.merged(fleet, fleet.host(one).name)}, indent=2))
        elif graph:
            click.echo(groups.graph(fleet))
        elif ansible:
            click.echo(json.dumps(groups.ansible_inventory(fleet), indent=2))
        else:
            found = [fleet.hosts[name] for name in select(fleet, hosts)]
            items = [
                {"host": host.name, "fqdn": host.fqdn, "groups": list(host.groups), "file": host.file, "line": host.line,
                 "machine": groups.merged(fleet, host.name)}
                for host in found
            ]  # fmt: skip
            rows = [
                (
                    host.name,
                    host.machine.state,
                    host.machine.size_class,
                    ",".join(host.roles),
                    host.machine.network.zone,
                    host.machine.network.address,
                    str(host.machine.proxmox.vmid or "-"),
                    host.machine.proxmox.node,
                    ",".join(group for group in host.groups if not group.startswith("role_")),
                )
                for host in found
            ]
            show_rows(settings, "hosts", items, _COLUMNS, rows)


@command.command("explain", examples=("pvenix inventory explain dns01", "pvenix inventory explain dns01 proxmox.node"))
@host_argument(many=False)
@click.argument("field", required=False, help="A field such as proxmox.node, or all below `proxmox`.")
@click.pass_obj
def explain(settings: Settings, /, *, host: str, field: str | None) -> None:
    """Show the value of a field, who says so at file:line, and every layer that it beat."""
    with settings.loaded() as fleet:
        found = fleet.explain(host, field)
    if settings.output is Output.TEXT:
        click.echo("\n".join(line for each in found for line in _lines(each)))
    else:
        items = [
            {
                "field": each.field,
                "value": each.value,
                "origins": [_origin(origin) for origin in each.origins],
                "beaten": [_origin(origin) for origin in each.beaten],
            }
            for each in found
        ]
        show_rows(settings, "fields", items, (), (), host=host)


@command.command("graph", examples=("pvenix inventory graph", "pvenix inventory graph -o json"))
@click.pass_obj
def graph(settings: Settings) -> None:
    """Draw groups, their groups and their hosts; roles are groups too."""
    from pvenix.cli import groups

    with settings.loaded() as fleet:
        show_document(settings, "graph", {"groups": groups.tree(fleet)}, groups.graph(fleet))


def _lines(each: Explained) -> list[str]:
    lines = [f"{style(each.field, 'strong')} = {one_line(plain_value(each.value))}"]
    for number, origin in enumerate(each.origins):
        said = (
            f"{'appends ' if origin.appended else ''}{one_line(plain_value(origin.value))} "
            if len(each.origins) > 1
            else ""
        )
        lines.append(f"  {'from' if number == 0 else 'and '} {said}{_place(origin)}")
    lines += [f"  beat {one_line(plain_value(origin.value))} {_place(origin)}" for origin in each.beaten]
    return lines


def _place(origin: Origin) -> str:
    if origin.layer in ("built-in", "--set"):
        return f"({origin.layer})"
    return f"at {origin.file}:{origin.line}:{origin.column} ({origin.layer})"


def _origin(origin: Origin) -> dict[str, Any]:
    return {
        "layer": origin.layer,
        "file": origin.file,
        "line": origin.line,
        "column": origin.column,
        "value": origin.value,
        "appended": origin.appended,
    }
