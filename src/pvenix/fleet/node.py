"""The tree of a YAML document: every key and value knows its file, line and column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pvenix.model.findings import Finding


class Kind:
    """What a node is."""

    SCALAR = 0
    MAP = 1
    SEQ = 2
    ALIAS = 3
    """Only in trees read with `resolve_aliases=False`."""


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """One value of a document."""

    kind: int
    file: str
    line: int
    column: int
    start: int = 0
    """Index of its first character in the text."""
    end: int = 0
    """Index after its last character; of a block map or list, where the parser noticed its end."""
    value: Any = None
    """Of a scalar."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """Of a map, in order."""
    items: list[Node] = field(default_factory=list)
    """Of a list."""
    tag: str = ""
    """A tag that is not of the core schema, such as `!vault`; the value is then opaque."""
    style: str = ""
    """Of a scalar: `'`, `"`, `|`, `>` or empty; of a map or list: `flow` or empty."""
    size: int = 1
    """Nodes below and including this one, with aliases counted in full."""
    height: int = 1
    """Levels below and including this one, through aliases."""

    @property
    def is_map(self) -> bool:
        """True for a map."""
        return self.kind == Kind.MAP

    @property
    def is_null(self) -> bool:
        """True for `null`, `~` and nothing at all."""
        return self.kind == Kind.SCALAR and self.value is None and not self.tag

    def get(self, *path: str) -> Node | None:
        """The value under the keys of `path`, None when one is missing."""
        node = self
        for key in path:
            entry = node.entries.get(key)
            if entry is None:
                return None
            node = entry.value
        return node

    def plain(self) -> Any:
        """The value as dicts, lists and scalars."""
        if self.kind == Kind.MAP:
            return {key: entry.value.plain() for key, entry in self.entries.items()}
        if self.kind == Kind.SEQ:
            return [item.plain() for item in self.items]
        return self.value

    def grow(self, child: Node) -> None:
        """Counts a child that was added."""
        self.size += child.size
        self.height = max(self.height, child.height + 1)

    def finding(self, code: str, what: str, hint: str = "", *, warning: bool = False) -> Finding:
        """A finding at this node's place."""
        return Finding(
            file=self.file, line=self.line, column=self.column, code=code, what=what, hint=hint, warning=warning
        )


@dataclass(slots=True, eq=False)
class Entry:
    """One key of a map with its value."""

    key: Node
    value: Node


def descend(node: Node, path: Iterable[str | int]) -> Node:
    """The node at the end of `path`, or the last one on the way to it."""
    for part in path:
        if isinstance(part, int):
            if part >= len(node.items):
                return node
            node = node.items[part]
        elif part in node.entries:
            node = node.entries[part].value
        else:
            return node
    return node


def map_node(entries: dict[str, Entry], at: Node) -> Node:
    """A new map that stands where `at` stands."""
    return Node(kind=Kind.MAP, file=at.file, line=at.line, column=at.column, entries=entries)


def scalar(value: object, at: Node) -> Node:
    """A scalar that stands where `at` stands."""
    return Node(kind=Kind.SCALAR, file=at.file, line=at.line, column=at.column, value=value)


def sequence(items: list[Node], at: Node) -> Node:
    """A list that stands where `at` stands."""
    return Node(kind=Kind.SEQ, file=at.file, line=at.line, column=at.column, items=items)


def from_plain(value: Any, file: str) -> Node:
    """A tree for a value that stands in no file; `file` names where it comes from, such as `built-in`."""
    node = Node(kind=Kind.SCALAR, file=file, line=1, column=1, value=value)
    if isinstance(value, dict):
        node.kind, node.value = Kind.MAP, None
        node.entries = {key: Entry(from_plain(key, file), from_plain(item, file)) for key, item in value.items()}
    elif isinstance(value, list):
        node.kind, node.value = Kind.SEQ, None
        node.items = [from_plain(item, file) for item in value]
    return node
