"""The fleet: everything that inventory/ says, checked as a whole and ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvenix.fleet import codes
from pvenix.fleet.inventory import load_inventory
from pvenix.fleet.layers import Explained, Layer, explain
from pvenix.fleet.members import Inventory
from pvenix.fleet.node import Node, descend
from pvenix.fleet.root import shown
from pvenix.fleet.stack import Stack
from pvenix.fleet.stamp import inventory_files
from pvenix.fleet.yaml import read
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.findings import Finding
from pvenix.model.host import Host
from pvenix.model.nearest import did_you_mean
from pvenix.model.plan import ArgValue
from pvenix.model.selector import Facts, Universe, parse_selector
from pvenix.model.site import HealthCheck, OnFailure, Site


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """A valid fleet."""

    root: Path
    site: Site
    hosts: Mapping[str, Host]
    """In the inventory's order."""
    groups: Mapping[str, tuple[str, ...]]
    """Groups of hosts.yaml and `role_<name>`, each with its hosts in the inventory's order; `all` is not among them."""
    findings: tuple[Finding, ...]
    """Warnings; errors do not get this far."""
    files: tuple[str, ...]
    """Every file that was read, relative to the root."""
    layers: Callable[[str], Sequence[Layer]] = field(repr=False)
    """The layers of a host, low to high."""
    universe: Universe = field(repr=False)
    merged: Callable[[str], Node] = field(repr=False)
    """The fields of a host, all layers on each other, each value with its place."""
    tree: Node = field(repr=False)
    """site.yaml, each value with its place."""

    def host(self, name: str) -> Host:
        """The host called `name`. Raises: UsageError with the nearest name when there is none."""
        found = self.hosts.get(name)
        if found is None:
            raise UsageError(f"no host is called `{name[:80]}`", hint=did_you_mean(name, self.hosts))
        return found

    def select(self, expr: str, facts: Facts | None = None) -> tuple[str, ...]:
        """The hosts that a pattern means.

        `all`, groups and globs leave out hosts whose state is absent, archived or external; their exact name
        finds them. Raises: UsageError for a pattern that cannot be read or a name that does not exist.
        """
        return parse_selector(expr).match(self.universe, facts)

    def explain(self, host: str, field: str | None = None) -> tuple[Explained, ...]:
        """Where the fields of a host come from: one field, all below it (`proxmox`), or every one.

        Raises: UsageError when there is no such host, or nothing sets such a field.
        """
        self.host(host)
        fields = explain(self.layers(host))
        if not field:
            return fields
        wanted = field.removeprefix("machine.")
        found = tuple(one for one in fields if one.field == wanted or one.field.startswith(f"{wanted}."))
        if not found:
            hint = did_you_mean(wanted, [one.field for one in fields])
            raise UsageError(f"nothing sets `{wanted[:80]}` of {host}", hint=hint)
        return found

    def place(self, host: str, *path: str | int) -> Node:
        """Where a field of a host is written, or the nearest field above it; the host's own line for built-in values.

        `path` are keys and indexes below `machine`, such as `proxmox`, `disks`, 0, `storage`.
        Raises: UsageError when there is no such host.
        """
        found = self.host(host)
        node = descend(self.merged(host), path)
        if node.file != "built-in":
            return node
        return Node(kind=node.kind, file=found.file, line=found.line, column=found.column, value=node.value)

    def site_place(self, *path: str | int) -> Node:
        """Where a field of site.yaml is written, or the nearest field above it."""
        return descend(self.tree, path)

    def health(self, host: str) -> tuple[HealthCheck, ...]:
        """The health checks of a host: those of its roles in order, then its own, each once."""
        machine = self.host(host).machine
        checks = [check for role in machine.roles for check in self.site.roles[role].health]
        return tuple(dict.fromkeys([*checks, *machine.update.health]))

    def on_failure(self, host: str) -> OnFailure:
        """What failed units and checks do to an update of a host: the strictest of what it and its roles say."""
        machine = self.host(host).machine
        said = [machine.update.on_failure, *(self.site.roles[role].on_failure for role in machine.roles)]
        return max((each for each in said if each), key=list(OnFailure).index, default=OnFailure.ROLLBACK)

    def authorized_keys(self, host: str) -> tuple[str, ...]:
        """The public key lines for the first login on a host, read from their files.

        Raises: UsageError when a file is missing or holds no public key.
        """
        from pvenix.fleet.keys import public_key_lines

        return public_key_lines(self.host(host).machine.bootstrap.authorized_keys)


def load_fleet(root: Path, *, inventory: Path | None = None, overrides: Mapping[str, ArgValue] | None = None) -> Fleet:
    """The fleet in the directory `root`.

    `inventory` names another hosts file, or a directory with hosts.yaml; site.yaml is taken from beside it, or
    else from the fleet. `overrides` are `--set` values by dotted field (`proxmox.node`), for every host.
    Raises: InvalidInput with all findings.
    """
    root = root.absolute()
    hosts_file, site_file = inventory_files(root, inventory)
    listed = load_inventory(hosts_file, root)
    findings: list[Finding] = []
    site_tree = _read_site(site_file, root, findings)
    stack = Stack(root=root, site=site_tree, inventory=listed, overrides=overrides or {})
    hosts = stack.build()
    findings = sorted({*findings, *listed.findings, *stack.findings})
    if stack.site is None or any(not finding.warning for finding in findings):
        raise InvalidInput(findings)
    return Fleet(
        root=root,
        site=stack.site,
        hosts=hosts,
        groups=_groups(listed, hosts),
        findings=tuple(findings),
        files=(shown(site_file, root), *listed.files),
        layers=stack.layers,
        merged=stack.merged,
        tree=stack.tree,
        universe=_universe(listed, hosts),
    )


def _read_site(path: Path, root: Path, findings: list[Finding]) -> Node | None:
    name = shown(path, root)
    try:
        tree = read(path, name)
    except InvalidInput as error:
        findings.extend(error.findings)
        return None
    if tree is None:
        findings.append(
            Finding(file=name, line=1, column=1, code=codes.MISSING, what="is empty", hint="start with `pvenix init`")
        )
    return tree


def _groups(listed: Inventory, hosts: Mapping[str, Host]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {name: [] for name in listed.groups if name != "all"}
    for host in hosts.values():
        for group in host.groups:
            groups.setdefault(group, []).append(host.name)
    return {name: tuple(members) for name, members in groups.items()}


def _universe(listed: Inventory, hosts: Mapping[str, Host]) -> Universe:
    managed = {name: None for name, host in hosts.items() if host.machine.state.managed}
    groups: dict[str, Any] = {
        name: tuple(host for host in members if host in managed) for name, members in _groups(listed, hosts).items()
    }
    return Universe(hosts=tuple(managed), groups=groups, named=tuple(name for name in hosts if name not in managed))
