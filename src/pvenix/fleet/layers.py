"""Layers of machine fields: merged from low to high, and explained. Maps merge, the rest replaces, `key+` appends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pvenix.fleet.node import Entry, Kind, Node, map_node, sequence

CLAIM = "claim"
"""The name of the layer of what a claim says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One source of machine fields."""

    name: str
    """In words: `built-in`, `class small`, `group core`, `group_vars core`, `host`, `claim`, `host_vars`, `--set`, …"""
    node: Node


def machine_layer(name: str, node: Node) -> Layer:
    """A layer of machine fields as written; a `network` that is a list becomes the first card and `nics`."""
    network = node.entries.get("network")
    if network is None or "nics" in node.entries or not network.value.items:
        return Layer(name=name, node=node)
    first, *rest = network.value.items
    further = Entry(network.key, sequence(rest, network.value))
    cards = {"network": Entry(network.key, first), "nics": further}  # before a `nics+` beside them, which adds to them
    entries = cards | {key: entry for key, entry in node.entries.items() if key != "network"}
    return Layer(name=name, node=map_node(entries, node))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value was written."""

    layer: str
    file: str
    line: int
    column: int
    value: Any
    """As written there."""
    appended: bool = False
    """True when written as `key+`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One field of a host: its value, who says so, and who was overruled."""

    field: str
    """Dotted, such as `proxmox.vmid`."""
    value: Any
    origins: tuple[Origin, ...]
    """Strongest first; more than one only for lists that were appended to."""
    beaten: tuple[Origin, ...] = ()
    """Strongest first."""


def overlay(base: Node, over: Node) -> Node:
    """A new map: `base` with `over` on top. A null in `over` takes the field back to the built-in default."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        value = entry.value
        if key.endswith("+") and value.kind == Kind.SEQ:
            _append(entries, key, entry)
        elif value.kind == Kind.MAP:
            old = entries.get(key)
            lower = old.value if old is not None and old.value.kind == Kind.MAP else _EMPTY
            below = overlay(lower, value)
            if below.entries or not value.entries:
                entries[key] = Entry(entry.key, below)
            else:  # nothing but nulls, and nothing under them
                entries.pop(key, None)
        elif value.is_null:
            entries.pop(key, None)
        else:
            entries[key] = entry
    return Node(kind=Kind.MAP, file=over.file, line=over.line, column=over.column, entries=entries)


def _append(entries: dict[str, Entry], key: str, entry: Entry) -> None:
    name, value = key[:-1], entry.value
    old = entries.get(name)
    if old is None:
        entries[name] = Entry(entry.key, value)
    elif old.value.kind == Kind.SEQ:
        items = [*old.value.items, *value.items]
        entries[name] = Entry(entry.key, sequence(items, value))
    else:
        entries[key] = entry  # not a list below: the schema names the key


_EMPTY = Node(kind=Kind.MAP, file="built-in", line=1, column=1)


def merge(layers: Sequence[Layer]) -> Node:
    """All layers, low to high, as one map."""
    merged = _EMPTY
    for layer in layers:
        merged = overlay(merged, layer.node)
    return merged


def explain(layers: Sequence[Layer]) -> tuple[Explained, ...]:
    """Every field that some layer sets, in the order of the merged map."""
    said: dict[str, list[Origin]] = {}
    for layer in layers:
        for field, node, appended in _leaves(layer.node, ""):
            origin = Origin(
                layer=layer.name,
                file=node.file,
                line=node.line,
                column=node.column,
                value=node.plain(),
                appended=appended,
            )
            said.setdefault(field, []).append(origin)
    merged = merge(layers)
    return tuple(_explained(field, node.plain(), said.get(field, [])) for field, node, _ in _leaves(merged, ""))


def declared(merged: Node) -> frozenset[str]:
    """The fields of merged layers that are not built-in, dotted; a list is one field."""
    return frozenset(field for field, node, _ in _leaves(merged, "") if node.file != _EMPTY.file)


def _explained(field: str, value: Any, said: Sequence[Origin]) -> Explained:
    origins: list[Origin] = []
    strongest_first = list(reversed(said))
    for index, origin in enumerate(strongest_first):
        origins.append(origin)
        if not origin.appended:
            return Explained(
                field=field, value=value, origins=tuple(origins), beaten=tuple(strongest_first[index + 1 :])
            )
    return Explained(field=field, value=value, origins=tuple(origins))


def _leaves(node: Node, path: str) -> Iterator[tuple[str, Node, bool]]:
    for key, entry in node.entries.items():
        appended = key.endswith("+") and entry.value.kind == Kind.SEQ
        field = f"{path}{key[:-1] if appended else key}"
        if entry.value.kind == Kind.MAP and entry.value.entries:
            yield from _leaves(entry.value, f"{field}.")
        else:
            yield field, entry.value, appended
