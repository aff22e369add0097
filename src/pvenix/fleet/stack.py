"""The layers of every host, from the built-in values up, merged and checked into typed hosts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pvenix.fleet import checks, codes
from pvenix.fleet.layers import Layer, declared, machine_layer, merge, overlay
from pvenix.fleet.members import Inventory, Listed
from pvenix.fleet.node import Entry, Kind, Node, from_plain, map_node, scalar, sequence
from pvenix.fleet.validate import check
from pvenix.fleet.yaml import parse
from pvenix.model.errors import InvalidInput
from pvenix.model.findings import Finding
from pvenix.model.host import Host
from pvenix.model.plan import ArgValue
from pvenix.model.site import Site

_BUILT_IN: dict[str, Any] = {
    "state": "present",
    "cores": 2,
    "memory": "4G",
    "disk": "20G",
    "template": "nixos",
    "install": "clone",
    "proxmox": {"node": "auto", "onboot": True},
    "network": {"address": "dhcp", "ip6": "auto", "prefer": "any"},
    "bootstrap": {"agent_timeout": "5m", "address_timeout": "2m", "ssh_timeout": "3m", "cloudinit_timeout": "10m"},
    "nix": {"build": "self", "converge": "push"},
    "update": {"strategy": "test-then-switch", "reboot": "manual", "confirm_timeout": "2m"},
}
_DEFAULT_CLASS = "small"
_CHOOSERS = (("class",), ("roles",), ("roles+",), ("cluster",), ("network", "zone"))
"""Fields that decide which layers a host has, so that a role cannot set them."""


class Stack:
    """Puts layers on each other; `findings` says what is wrong with the result."""

    def __init__(
        self, *, root: Path, site: Node | None, inventory: Inventory, overrides: Mapping[str, ArgValue]
    ) -> None:
        from pvenix.fleet.site_schema import SITE

        self.findings: list[Finding] = []
        self.site: Site | None = None
        self._root = root
        self._inventory = inventory
        self.tree = site if site is not None and site.is_map else from_plain({}, "inventory/site.yaml")
        if site is not None:
            self.site = check(SITE, site, self.findings, root=root)
        self._built_in = Layer(name="built-in", node=from_plain(self._built_in_values(), "built-in"))
        self._defaults = self._section_layers("site defaults", self.tree.get("defaults"))
        self._set = self._override_layers(overrides)
        self._seen_bases: dict[tuple[Any, ...], Node] = {}
        self._seen_choosers: dict[tuple[str, ...], Node] = {}
        self._seen_groups: dict[tuple[str, ...], list[Layer]] = {}

    def build(self) -> dict[str, Host]:
        """Every host that could be typed, in the inventory's order."""
        from pvenix.fleet.schema import MACHINE

        if not self.tree.entries:  # unreadable, and said so: everything else would be a consequence
            return {}
        self.findings += checks.site_findings(self.tree)
        self.findings += self._role_findings()
        hosts: dict[str, Host] = {}
        taken = checks.Taken(self.tree)
        for listed in self._inventory.hosts.values():
            merged = self._merged(listed)
            found: list[Finding] = []
            machine = check(MACHINE, merged, found, root=self._root, path="machine")
            found += taken.host_findings(listed.name, listed.key, merged)
            found += _inherited_absence(listed, merged)
            if not self._inventory.is_whole(listed.name):  # what is missing may stand in the file that cannot be read
                found = [finding for finding in found if not finding.warning and finding.code != codes.MISSING]
            self.findings += [_placed(finding, listed.key) for finding in found]
            if machine is not None:
                groups = (*self._inventory.groups_of(listed.name)[1:], *(f"role_{role}" for role in machine.roles))
                hosts[listed.name] = Host(
                    name=listed.name,
                    groups=groups,
                    machine=machine,
                    declared=declared(merged),
                    fqdn=self._fqdn(listed.name, machine.network.zone),
                    file=listed.key.file,
                    line=listed.key.line,
                    column=listed.key.column,
                )
        self.findings += self._unused_findings()
        return hosts

    def merged(self, host: str) -> Node:
        """The fields of a host, all layers on each other."""
        return self._merged(self._inventory.hosts[host])

    def layers(self, host: str) -> list[Layer]:
        """The layers of a host, low to high."""
        listed = self._inventory.hosts[host]
        cluster, zone, size_class, roles = self._choices(listed)
        return [
            *self._base_layers(cluster, zone, size_class, roles),
            *self._group_layers(self._inventory.groups_of(host)),
            *listed.inline,
            *listed.files,
            *self._set,
        ]

    def _merged(self, listed: Listed) -> Node:
        groups = self._inventory.groups_of(listed.name)
        key = (*self._choices(listed), groups)
        base = self._seen_bases.get(key)
        if base is None:
            base = merge([*self._base_layers(*key[:4]), *self._group_layers(groups)])
            self._seen_bases[key] = base
        for layer in (*listed.inline, *listed.files, *self._set):
            base = overlay(base, layer.node)
        return self._with_zones(base)

    def _with_zones(self, machine: Node) -> Node:
        """The merged fields with bridge and VLAN of each further card taken from its zone."""
        cards = machine.get("nics")
        if cards is None or not cards.items:
            return machine
        items = []
        for card in cards.items:
            zone = self.tree.get("zones", _text(card.get("zone")))
            fields = zone.entries if zone is not None and card.is_map else {}
            known: tuple[str, ...] = ("bridge", "vlan")
            missing = {key: fields[key] for key in known if key in fields and key not in card.entries}
            items.append(map_node({**card.entries, **missing}, card) if missing else card)
        further = Entry(machine.entries["nics"].key, sequence(items, cards))
        return map_node({**machine.entries, "nics": further}, machine)

    def _choices(self, listed: Listed) -> tuple[str, str, str, tuple[str, ...]]:
        """The cluster, zone, class and roles of a host, which decide its lower layers."""
        groups = self._inventory.groups_of(listed.name)
        node = self._seen_choosers.get(groups)
        if node is None:
            node = merge([*self._defaults, *self._group_layers(groups)])
            self._seen_choosers[groups] = node
        for layer in (*listed.inline, *listed.files, *self._set):
            node = overlay(node, layer.node)
        roles = node.get("roles")
        clusters = self.tree.get("clusters")
        only = next(iter(clusters.entries)) if clusters is not None and len(clusters.entries) == 1 else ""
        return (
            _text(node.get("cluster")) or only,
            _text(node.get("network", "zone")),
            _text(node.get("class")) or (_DEFAULT_CLASS if self.tree.get("classes", _DEFAULT_CLASS) else ""),
            tuple(_text(role) for role in roles.items) if roles is not None else (),
        )

    def _group_layers(self, groups: tuple[str, ...]) -> list[Layer]:
        found = self._seen_groups.get(groups)
        if found is None:
            found = self._seen_groups[groups] = self._inventory.group_layers(groups)
        return found

    def _base_layers(self, cluster: str, zone: str, size_class: str, roles: tuple[str, ...]) -> list[Layer]:
        layers = [self._built_in]
        layers += self._cluster_layers(cluster)
        layers += self._zone_layers(zone)
        layers += self._defaults
        layers += self._class_layers(size_class)
        for role in roles:
            layers += self._section_layers(f"role {role}", self.tree.get("roles", role, "machine"))
        return layers

    def _built_in_values(self) -> dict[str, Any]:
        user = _text(self.tree.get("access", "user")) or "tappaas"
        return {**_BUILT_IN, "bootstrap": {"user": user, **_BUILT_IN["bootstrap"]}}

    def _cluster_layers(self, name: str) -> list[Layer]:
        clusters = self.tree.get("clusters")
        entry = clusters.entries.get(name) if clusters is not None else None
        if entry is None:
            return []
        key = scalar(name, entry.key)
        fields = {"cluster": Entry(key, key)}
        storage = entry.value.get("storage", "default")
        if storage is not None:
            fields["proxmox"] = Entry(key, map_node({"storage": Entry(key, storage)}, key))
        return [Layer(name=f"cluster {name}", node=map_node(fields, key))]

    def _zone_layers(self, name: str) -> list[Layer]:
        zone = self.tree.get("zones", name) if name else None
        if zone is None:
            return []
        fields = {key: entry for key, entry in zone.entries.items() if key in ("bridge", "vlan", "gateway", "dns")}
        return [Layer(name=f"zone {name}", node=_wrapped("network", map_node(fields, zone)))]

    def _class_layers(self, name: str) -> list[Layer]:
        size = self.tree.get("classes", name) if name else None
        if size is None:
            return []
        fields = {key: entry for key, entry in size.entries.items() if key in ("cores", "memory", "disk")}
        if name == _DEFAULT_CLASS:
            at = from_plain(name, size.file)
            at.line, at.column = size.line, size.column
            fields["class"] = Entry(at, at)
        display = size.entries.get("display")
        if display is not None:
            fields["hardware"] = Entry(display.key, map_node({"display": display}, display.key))
        return [Layer(name=f"class {name}", node=map_node(fields, size))]

    def _section_layers(self, name: str, node: Node | None) -> list[Layer]:
        return [machine_layer(name, node)] if node is not None and node.kind == Kind.MAP else []

    def _override_layers(self, overrides: Mapping[str, ArgValue]) -> list[Layer]:
        layers = []
        for field, value in overrides.items():
            given = f"--set {field}={str(value).lower() if isinstance(value, bool) else value}"
            node: Node | None
            try:
                node = parse(value, given) if isinstance(value, str) else from_plain(value, given)
            except InvalidInput as error:
                self.findings += error.findings
                continue
            node = node or from_plain(None, given)
            for key in reversed(field.removeprefix("machine.").split(".")):
                node = _wrapped(key, node)
            layers.append(machine_layer("--set", node))
        return layers

    def _role_findings(self) -> list[Finding]:
        roles = self.tree.get("roles")
        found = []
        for name, entry in roles.entries.items() if roles is not None else ():
            layer = entry.value.get("machine")
            for path in _CHOOSERS if layer is not None else ():
                node = layer.get(*path) if layer is not None else None
                if node is not None:
                    what = f"role `{name}` cannot set `{'.'.join(path)}`, which decides what layers a host has"
                    found.append(node.finding(codes.VALUE, what, "set it on the hosts or on a group"))
        return found

    def _unused_findings(self) -> list[Finding]:
        """Findings in layers that no host shows: groups without hosts, roles that nobody has."""
        from pvenix.fleet.schema import MACHINE

        roles = self.tree.get("roles")
        layers = [
            *self._defaults,
            *(layer for group in self._inventory.groups.values() for layer in (*group.inline, *group.files)),
            *(
                layer
                for name, entry in (roles.entries.items() if roles is not None else ())
                for layer in self._section_layers(f"role {name}", entry.value.get("machine"))
            ),
        ]
        found: list[Finding] = []
        for layer in layers:
            check(MACHINE, merge([layer]), found, root=self._root, path="machine")
        return found

    def _fqdn(self, name: str, zone: str) -> str:
        domain = self.site.domain if self.site else ""
        return ".".join(part for part in (name, zone.lower(), domain) if part)


def _inherited_absence(listed: Listed, merged: Node) -> list[Finding]:
    """`absent` retires a machine, so it is said of each one by itself and never of a group, a role or a command line."""
    state = merged.get("state")
    own = any(layer.node.get("state") is not None for layer in (*listed.inline, *listed.files))
    if state is None or state.value != "absent" or own:
        return []
    hint = f"write it in inventory/host_vars/{listed.name}.yaml"
    return [state.finding(codes.VALUE, f"`state: absent` of {listed.name} is not its own", hint)]


def _text(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""


def _wrapped(key: str, node: Node) -> Node:
    return map_node({key: Entry(scalar(key, node), node)}, node)


def _placed(finding: Finding, host: Node) -> Finding:
    """A finding about a built-in value, which stands in no file, is shown at the host."""
    if finding.file != "built-in":
        return finding
    return host.finding(finding.code, finding.what, finding.hint, warning=finding.warning)
