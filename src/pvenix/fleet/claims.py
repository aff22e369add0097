"""Machine claims as Crossplane takes them (`kind: Machine`, fields under `spec`), read as hosts of the fleet.

A claim says what is wanted in the words of its own API; each value becomes a machine field and keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pvenix.fleet import codes
from pvenix.fleet.claim_address import read_address
from pvenix.fleet.node import Entry, Kind, Node, map_node, scalar, sequence
from pvenix.model.findings import Finding
from pvenix.model.nearest import did_you_mean, nearest

KINDS = ("Machine", "XMachine")
KEYS_FOLDER = "inventory/keys"
"""Holds the public keys of a secret that a claim refers to, as `<secret>.pub`."""

FIELDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("class",): ("class",),
    ("image",): ("template",),
    ("network", "gateway"): ("network", "gateway"),
    ("network", "dns"): ("network", "dns"),
    ("proxmox", "node"): ("proxmox", "node"),
    ("proxmox", "storage"): ("proxmox", "storage"),
    ("proxmox", "vlan"): ("network", "vlan"),
    ("proxmox", "bridge"): ("network", "bridge"),
    ("nix", "flakeRef"): ("nix", "flake"),
    ("nix", "channel"): ("nix", "channel"),
    ("bootstrap", "adminUser"): ("bootstrap", "user"),
}
"""Fields below `spec` that are machine fields under another name."""

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA = (
    "name", "namespace", "labels", "annotations", "finalizers", "generateName", "generation", "creationTimestamp",
    "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip
_SPEC = (
    "class", "hostname", "network", "proxmox", "image", "nix", "bootstrap", "tags", "role", "labels",
)  # fmt: skip
_CROSSPLANE = (
    "claimRef", "compositeDeletePolicy", "compositionRef", "compositionRevisionRef", "compositionRevisionSelector",
    "compositionSelector", "compositionUpdatePolicy", "crossplane", "deletionPolicy", "environmentConfigRefs",
    "managementPolicies", "publishConnectionDetailsTo", "resourceRef", "resourceRefs", "writeConnectionSecretToRef",
)  # fmt: skip
"""What Crossplane itself keeps in the spec of claims and composites; nothing of it concerns the machine."""
_INSIDE: dict[str, tuple[str, ...]] = {
    "network": ("ip", "dhcp", "gateway", "dns", "cidr"),
    "proxmox": ("node", "storage", "vlan", "bridge"),
    "nix": ("flakeRef", "channel"),
    "bootstrap": ("sshAuthorizedKeys", "adminUser"),
}
_ONE_OR_MANY = (("network", "dns"),)
_INSTEAD = {
    "roles": "did you mean `role`? It takes a list too",
    "lock": "flake.lock in nix/ pins what the flake takes; leave it out",
    "name": "the machine's name is metadata.name, or spec.hostname",
}


@dataclass(slots=True, kw_only=True)
class Claim:
    """One machine that a claim asks for."""

    name: Node
    """A scalar: the host's name."""
    machine: Node
    """The machine fields that the claim gives."""
    groups: list[Node] = field(default_factory=list)
    """Scalars: the groups that its labels put it into."""


def claim_files(folders: Iterable[Path]) -> list[Path]:
    """The YAML files in and below `folders`, in order."""
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".yaml", ".yml")]
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def claimed_name(document: Node) -> str:
    """The host's name in a claim, empty in anything else."""
    name = document.get("spec", "hostname") or document.get("metadata", "name")
    kind = document.get("kind")
    return str(name.value) if name is not None and kind is not None and kind.value in KINDS else ""


def read_claim(document: Node, findings: list[Finding], *, root: Path) -> Claim | None:
    """The machine that a document of a claims file asks for; None when it is about something else, or unreadable.

    What is wrong goes to `findings`; `root` is the fleet's.
    """
    if not document.is_map:
        findings.append(document.finding(codes.VALUE, "must be a map", "a claim has apiVersion, kind, metadata, spec"))
        return None
    kind = document.get("kind")
    if kind is None or kind.value not in KINDS:
        findings.append(_other_kind(document, kind))
        return None
    return _Reader(document, findings, root).claim()


def _other_kind(document: Node, kind: Node | None) -> Finding:
    if kind is None:
        return document.finding(codes.MISSING, "`kind` is missing", f"write `kind: {KINDS[0]}`")
    word = str(kind.value)[:60]
    if nearest(word, KINDS):
        return kind.finding(codes.VALUE, f"unknown kind `{word}`", did_you_mean(word, KINDS))
    return kind.finding(codes.STRAY_FILE, f"`{word}` is no machine", "pvenix reads claims only", warning=True)


class _Reader:
    """Reads one document; what is wrong goes to `findings`."""

    def __init__(self, document: Node, findings: list[Finding], root: Path) -> None:
        self._root = root
        self._document = document
        self._findings = findings
        self._metadata = self._map(document, "metadata", "`metadata`")
        self._spec = self._map(document, "spec", "`spec`")
        self._machine: dict[str, Entry] = {}
        self._groups: list[Node] = []

    def claim(self) -> Claim | None:
        """The claim, None when it names no host."""
        self._refuse_unknown()
        for path, target in FIELDS.items():
            node = self._value(*path)
            if node is not None:
                self._set(target, _listed(node) if path in _ONE_OR_MANY else node)
        self._pin()
        address = read_address(self._spec.get("network"), self._findings)
        if address is not None:
            self._set(("network", "address"), address)
        self._keys()
        self._tags_and_labels()
        name = self._value("hostname") or self._metadata.get("name")
        if name is None or name.kind != Kind.SCALAR or name.is_null:
            self._say(name or self._metadata, codes.MISSING, "`metadata.name` is missing")
            return None
        if self._document.get("apiVersion") is None:
            self._say(self._document, codes.MISSING, "`apiVersion` is missing", "such as infra.example.org/v1alpha1")
        return Claim(name=name, machine=map_node(self._machine, self._spec), groups=self._groups)

    def _say(self, node: Node, code: str, what: str, hint: str = "") -> None:
        self._findings.append(node.finding(code, what, hint))

    def _map(self, holder: Node, key: str, shown: str) -> Node:
        node = holder.get(key)
        if node is not None and node.is_map:
            return node
        if node is None or node.is_null:
            if key in ("metadata", "spec") and holder is self._document:
                self._say(holder, codes.MISSING, f"{shown} is missing")
        else:
            self._say(node, codes.VALUE, f"{shown} must be a map")
        return map_node({}, holder)

    def _refuse_unknown(self) -> None:
        self._known(self._document, "", _TOP)
        self._known(self._metadata, "metadata.", _METADATA)
        self._known(self._spec, "spec.", (*_SPEC, *_CROSSPLANE))
        for section, keys in _INSIDE.items():
            self._known(self._map(self._spec, section, f"`spec.{section}`"), f"spec.{section}.", keys)

    def _known(self, node: Node, path: str, keys: Iterable[str]) -> None:
        for key, entry in node.entries.items():
            if key not in keys:
                hint = _INSTEAD.get(key) or did_you_mean(key, [one for one in keys if one not in _CROSSPLANE])
                self._say(entry.key, codes.UNKNOWN_KEY, f"unknown key `{path}{key[:60]}`", hint)

    def _value(self, *path: str) -> Node | None:
        node = self._spec.get(*path)
        return None if node is None or node.is_null else node

    def _set(self, path: tuple[str, ...], value: Node) -> None:
        holder = self._machine
        for key in path[:-1]:
            entry = holder.get(key)
            if entry is None:
                entry = holder[key] = Entry(scalar(key, value), map_node({}, value))
            holder = entry.value.entries
        holder[path[-1]] = Entry(scalar(path[-1], value), value)

    def _pin(self) -> None:
        """A node that a claim names is where the machine belongs, not only where it begins."""
        node = self._value("proxmox", "node")
        if node is not None:
            self._set(("proxmox", "pin"), scalar(node.value != "auto", node))

    def _keys(self) -> None:
        """Public keys, or the file that stands for a secret of Kubernetes, which nothing here can read."""
        node = self._value("bootstrap", "sshAuthorizedKeys")
        if node is None:
            return
        self._set(("bootstrap", "authorized_keys"), sequence([self._key(item) for item in _items(node)], node))

    def _key(self, node: Node) -> Node:
        if not node.is_map or "file" in node.entries:
            return node
        reference = node.get("secretRef") or node.get("secretKeyRef") or node
        name = reference.get("name")
        if name is None or not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", str(name.value)):
            self._say(node, codes.VALUE, "must be public keys, or a reference to a secret: {secretRef: {name: …}}")
            return sequence([], node)
        file = f"{KEYS_FOLDER}/{name.value}.pub"
        if not (self._root / file).is_file():
            self._say(name, codes.FILE, f"the secret `{name.value}` is not read here", f"put its keys into {file}")
        return map_node({"file": Entry(name, scalar(file, name))}, node)

    def _tags_and_labels(self) -> None:
        tags = self._value("tags")
        roles = list(_items(self._value("role")))
        plain: list[Node] = []
        for item in _items(tags) if tags is not None and not tags.is_map else ():
            key, equals, value = str(item.value).partition("=")
            if equals:
                self._label(key, scalar(value, item), roles)
            else:
                plain.append(item)
        holders = (tags, self._value("labels"), self._metadata.get("labels"))
        for holder in holders:
            for key, entry in holder.entries.items() if holder is not None else ():
                self._label(key, entry.value, roles)
        if plain:
            self._set(("tags",), sequence(plain, tags or self._spec))
        if roles:
            unique: dict[str, Node] = {}
            for role in roles:
                unique.setdefault(str(role.value), role)
            self._set(("roles",), sequence(list(unique.values()), roles[0]))

    def _label(self, key: str, value: Node, roles: list[Node]) -> None:
        name, text = key.rpartition("/")[2], "" if value.is_null else str(value.value)
        if value.kind != Kind.SCALAR:
            self._say(value, codes.VALUE, f"the label `{key[:60]}` must have a text as value")
        elif name == "role":
            roles.append(value)
        elif name == "zone":
            self._set(("network", "zone"), value)
        elif name == "tier":
            self._groups.append(value)
        else:
            self._groups.append(scalar(re.sub(r"[^A-Za-z0-9_-]", "_", f"{name}_{text}".rstrip("_")), value))


def _items(node: Node | None) -> Iterator[Node]:
    if node is not None:
        yield from node.items if node.kind == Kind.SEQ else (node,)


def _listed(node: Node) -> Node:
    return node if node.kind == Kind.SEQ else sequence([node], node)
