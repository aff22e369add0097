"""`pvenix role`: what the site's roles are, and who has them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.settings import Settings
from pvenix.cli.text import style
from pvenix.model.errors import UsageError
from pvenix.model.nearest import did_you_mean

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet
    from pvenix.model.site import Role


@click.group("role", cls=Group, examples=("pvenix role list", "pvenix role show dns"))
def command() -> None:
    """List the roles of the site, or show one."""


@command.command("list", examples=("pvenix role list", "pvenix role list -o json"))
@click.pass_obj
def list_roles(settings: Settings) -> None:
    """List every role with its modules, ports and hosts."""
    with settings.loaded() as fleet:
        roles = list(fleet.site.roles.values())
        rows = [
            (
                role.name,
                ",".join(role.modules),
                _ports(role),
                str(len(role.health)),
                ",".join(_hosts(fleet, role)) or "-",
            )
            for role in roles
        ]
        items = [_document(fleet, role) for role in roles]
    show_rows(settings, "roles", items, ("ROLE", "MODULES", "PORTS", "CHECKS", "HOSTS"), rows)


@command.command("show", examples=("pvenix role show dns",))
@click.argument("role", help="The role's name.")
@click.pass_obj
def show(settings: Settings, /, *, role: str) -> None:
    """Show what a role brings, needs and how its health is seen."""
    with settings.loaded() as fleet:
        found = fleet.site.roles.get(role)
        if found is None:
            raise UsageError(f"no role is called `{role[:80]}`", hint=did_you_mean(role, fleet.site.roles))
        show_document(settings, "role", _document(fleet, found), _text(fleet, found))


def _text(fleet: Fleet, role: Role) -> str:
    needs = [f"{role.needs.pci} PCI devices"] * bool(role.needs.pci)
    needs += [f"{role.needs.memory_mib} MiB memory"] * bool(role.needs.memory_mib)
    rows = (
        ("modules", [f"nix/modules/{module}.nix" for module in role.modules]),
        ("ports", [_ports(role)]),
        ("needs", needs),
        ("after", list(role.after)),
        ("health", [f"{check.title}, within {check.within_s} s" for check in role.health]),
        ("hosts", _hosts(fleet, role)),
        ("select with", [f"role_{role.name}"]),
    )
    lines = [f"  {name:<12} {', '.join(value for value in values if value) or '-'}" for name, values in rows]
    return "\n".join([style(role.name, "strong"), *lines])


def _ports(role: Role) -> str:
    ports = [f"{port}/tcp" for port in role.tcp] + [f"{port}/udp" for port in role.udp]
    return ",".join(ports) or "-"


def _hosts(fleet: Fleet, role: Role) -> list[str]:
    return list(fleet.groups.get(f"role_{role.name}", ()))


def _document(fleet: Fleet, role: Role) -> dict[str, object]:
    return {**dataclasses.asdict(role), "hosts": _hosts(fleet, role)}
