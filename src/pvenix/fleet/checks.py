"""What a schema cannot see: references, cycles, addresses and claims, across the site and all hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pvenix.fleet import cards, codes, machine_checks
from pvenix.fleet.node import Kind, Node
from pvenix.model.findings import Finding
from pvenix.model.nearest import did_you_mean

_REQUIRED = ("clusters", "templates")
_CLAIM_WORDS = {"vmid": "VM id", "address": "address", "mac": "MAC address"}


def site_findings(tree: Node) -> list[Finding]:
    """References, role order and zone addresses inside site.yaml."""
    return [*_template_findings(tree), *_role_findings(tree), *_zone_findings(tree)]


def _names(tree: Node, section: str) -> list[str]:
    node = tree.get(section)
    return list(node.entries) if node is not None else []


def _entries(tree: Node, section: str) -> Iterator[tuple[str, Node]]:
    node = tree.get(section)
    for name, entry in node.entries.items() if node is not None else ():
        yield name, entry.value


def _reference(tree: Node, section: str, word: str, node: Node | None) -> Iterator[Finding]:
    if node is None or not isinstance(node.value, str):
        return
    known = _names(tree, section)
    unsaid = not known and section in _REQUIRED  # said once, where the section is missing
    if node.value not in known and not unsaid:
        yield node.finding(
            codes.REFERENCE, f"there is no {word} `{node.value[:60]}` in site.yaml", did_you_mean(node.value, known)
        )


def _template_findings(tree: Node) -> Iterator[Finding]:
    for _, template in _entries(tree, "templates"):
        yield from _reference(tree, "clusters", "cluster", template.get("cluster"))


def _role_findings(tree: Node) -> Iterator[Finding]:
    after: dict[str, list[Node]] = {}
    for name, role in _entries(tree, "roles"):
        node = role.get("after")
        after[name] = node.items if node is not None else []
        for item in after[name]:
            yield from _reference(tree, "roles", "role", item)
    done: set[str] = set()
    for name in after:
        yield from _cycle(name, after, done)


def _cycle(start: str, after: dict[str, list[Node]], done: set[str]) -> Iterator[Finding]:
    """Walks without recursion, so that a long chain is no problem."""
    way: list[str] = []
    stack: list[tuple[str, Node | None, bool]] = [(start, None, False)]
    while stack:
        name, node, leaving = stack.pop()
        if leaving:
            way.pop()
            done.add(name)
        elif name in way:
            if node is not None:
                loop = " -> ".join([*way[way.index(name) :], name])
                yield node.finding(codes.CYCLE, f"roles wait for each other: {loop}", "take one `after` out")
        elif name not in done and name in after:
            way.append(name)
            stack.append((name, None, True))
            stack.extend((str(item.value), item, False) for item in after[name])


def _zone_findings(tree: Node) -> Iterator[Finding]:
    for name, zone in _entries(tree, "zones"):
        cidr, gateway = zone.get("cidr"), zone.get("gateway")
        network, address = cards.network(cidr), cards.ip(gateway)
        if gateway is not None and network is not None and address is not None and address not in network:
            yield gateway.finding(codes.ADDRESS, f"the gateway {address} is outside zone `{name}` ({network})")


class Taken:
    """What hosts have taken so far; each host is asked once, in order."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self._taken: dict[tuple[str, ...], tuple[str, Node]] = {}
        self._controller: tuple[str, Node] | None = None
        self._sections: dict[str, list[str]] = {}
        for name, template in _entries(tree, "templates"):
            vmid, cluster = template.get("vmid"), template.get("cluster")
            replicas = template.get("replicas")
            entries = list(replicas.entries.values()) if replicas is not None else []
            for node in [*([vmid] if vmid is not None else []), *(entry.value for entry in entries)]:
                if cluster is not None:
                    key = ("vmid", str(cluster.value), str(node.value))
                    self._taken.setdefault(key, (f"template {name}", node))

    def host_findings(self, name: str, key: Node, machine: Node) -> list[Finding]:
        """Everything that is wrong between this host, the site and the hosts before it."""
        return [
            *self._references(key, machine),
            *self._vmid(name, machine),
            *self._cards(name, machine),
            *self._self(name, machine),
            *self._needs(machine),
            *machine_checks.findings(machine),
        ]

    def _references(self, key: Node, machine: Node) -> Iterator[Finding]:
        for section, word, path in (
            ("classes", "class", ("class",)),
            ("clusters", "cluster", ("cluster",)),
            ("templates", "template", ("template",)),
            ("zones", "zone", ("network", "zone")),
        ):
            yield from _reference(self._tree, section, word, machine.get(*path))
        roles = machine.get("roles")
        for item in roles.items if roles is not None else ():
            yield from _reference(self._tree, "roles", "role", item)
        if machine.get("cluster") is None and _names(self._tree, "clusters"):
            hint = did_you_mean("", _names(self._tree, "clusters"))
            yield key.finding(codes.MISSING, "`machine.cluster` is missing", hint)

    def _claim(self, kind: str, scope: str, value: str, name: str, node: Node) -> Iterator[Finding]:
        holder, first = self._taken.setdefault((kind, scope, value), (name, node))
        if holder != name:
            where = f"`{holder}` has it at {first.file}:{first.line}"
            yield node.finding(codes.CLASH, f"{_CLAIM_WORDS[kind]} {value} is taken", where)

    def _cards(self, name: str, machine: Node) -> Iterator[Finding]:
        for card in cards.of(machine):
            for kind, value, node in cards.taken(card):
                yield from self._claim(kind, "", value, name, node)
            yield from cards.findings(card, self._tree)

    def _vmid(self, name: str, machine: Node) -> Iterator[Finding]:
        node, cluster = machine.get("proxmox", "vmid"), machine.get("cluster")
        if node is None or cluster is None or type(node.value) is not int:
            return
        scope = str(cluster.value)
        yield from self._claim("vmid", scope, str(node.value), name, node)
        policy = self._tree.get("clusters", scope, "vmid")
        spans, reserve = _vmid_policy(policy)
        inside = any(first <= node.value <= last for first, last in spans)
        if policy is not None and not inside and node.value not in reserve:
            shown = ", ".join(f"{first} to {last}" for first, last in spans)
            what = f"VM id {node.value} is outside the range {shown} of cluster `{scope}`"
            yield node.finding(codes.VALUE, what, "take one of the range, or add it to `reserve` in site.yaml")

    def _self(self, name: str, machine: Node) -> Iterator[Finding]:
        node = machine.get("self")
        if node is None or node.value is not True:
            return
        if self._controller is not None:
            holder, first = self._controller
            where = f"`{holder}` is, at {first.file}:{first.line}"
            yield node.finding(codes.CLASH, "only one host can be the controller (`self: true`)", where)
        else:
            self._controller = (name, node)

    def _needs(self, machine: Node) -> Iterator[Finding]:
        roles = machine.get("roles")
        devices = machine.get("proxmox", "pci")
        have = len(devices.items) if devices is not None else 0
        for item in roles.items if roles is not None else ():
            role = self._tree.get("roles", str(item.value))
            pci = role.get("needs", "pci") if role is not None else None
            if pci is not None and type(pci.value) is int and pci.value > have:
                what = f"role `{item.value}` needs {pci.value} mapped PCI device(s), the host has {have}"
                hint = "add `proxmox.pci: [{mapping: NAME}]`"
                yield item.finding(codes.NEEDS, what, hint, warning=True)
            memory = machine_checks.size_of(role.get("needs", "memory") if role is not None else None)
            if memory > (machine_checks.size_of(machine.get("memory")) or memory):
                what = f"role `{item.value}` needs {memory} MiB of memory, the host has less"
                yield item.finding(codes.NEEDS, what, "give it more `memory`, or a larger class", warning=True)


def _vmid_policy(node: Node | None) -> tuple[list[tuple[int, int]], list[Any]]:
    plain = node.plain() if node is not None and node.kind == Kind.MAP else {}
    match plain.get("range"):
        case [int(first), int(last)]:
            spans = [(first, last)]
        case [*many] if many and all(isinstance(one, list) and len(one) == 2 for one in many):
            spans = [(first, last) for first, last in many]
        case _:
            spans = [(100, 999_999_999)]
    reserve = plain.get("reserve")
    return spans, reserve if isinstance(reserve, list) else []
