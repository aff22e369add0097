"""The inventory as a whole: its groups as a tree, its hosts with their merged fields, and both for Ansible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pvenix.fleet.inventory import load_inventory

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet


def merged(fleet: Fleet, host: str) -> dict[str, Any]:
    """Every field of a host that some layer sets, as the files spell it."""
    fields: dict[str, Any] = {}
    for each in fleet.explain(host):
        *path, last = each.field.split(".")
        place = fields
        for key in path:
            place = place.setdefault(key, {})
        place[last] = each.value
    return fields


def tree(fleet: Fleet) -> dict[str, dict[str, list[str]]]:
    """Every group with its own groups and its own hosts, `all` first; what is nowhere else is below `all`."""
    inventory = load_inventory(fleet.root / fleet.files[1], fleet.root)
    roles = [name for name in fleet.groups if name not in inventory.groups]
    found = {
        name: {"children": list(group.children), "hosts": list(group.hosts)} for name, group in inventory.groups.items()
    }
    below = {child for group in found.values() for child in group["children"]}
    members = {host for group in found.values() for host in group["hosts"]}
    everyone = found.pop("all", {"children": [], "hosts": []})
    everyone["children"] += [name for name in found if name not in below] + roles
    everyone["hosts"] += [host for host in fleet.hosts if host not in members]
    return {"all": everyone, **found, **{name: {"children": [], "hosts": list(fleet.groups[name])} for name in roles}}


def graph(fleet: Fleet) -> str:
    """The groups as `ansible-inventory --graph` draws them."""
    return "\n".join(_drawn(tree(fleet), "all", 0))


def ansible_inventory(fleet: Fleet) -> dict[str, Any]:
    """A dynamic inventory; names of groups with `_` where Ansible refuses `-`."""
    groups = {
        _ansible_name(name): {
            key: names if key == "hosts" else [_ansible_name(child) for child in names]
            for key, names in group.items()
            if names
        }
        for name, group in tree(fleet).items()
    }
    return {"_meta": {"hostvars": {name: _variables(fleet, name) for name in fleet.hosts}}, **groups}


def _drawn(groups: Mapping[str, Mapping[str, list[str]]], name: str, depth: int) -> Iterator[str]:
    yield f"{'  |' * depth}{'--' if depth else ''}@{name}:"
    for child in groups[name]["children"]:
        yield from _drawn(groups, child, depth + 1)
    for host in groups[name]["hosts"]:
        yield f"{'  |' * (depth + 1)}--{host}"


def _variables(fleet: Fleet, name: str) -> dict[str, Any]:
    machine, access = fleet.hosts[name].machine, fleet.site.access
    known = {"ansible_host": machine.network.ip, "ansible_user": machine.bootstrap.user, "ansible_port": access.port}
    if access.jump:
        jump = f"{access.jump.user}@{access.jump.host}:{access.jump.port}"
        known["ansible_ssh_common_args"] = f"-o ProxyJump={jump}"
    return {"machine": merged(fleet, name), **{key: value for key, value in known.items() if value}}


def _ansible_name(group: str) -> str:
    return group.replace("-", "_")
