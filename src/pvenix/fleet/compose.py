"""From the parser's events to nodes: limits hold while reading, and nothing is executed, expanded or guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pvenix.fleet import codes
from pvenix.fleet.node import Entry, Kind, Node
from pvenix.fleet.scalars import CORE_TAGS, resolve, tagged
from pvenix.model.errors import InvalidInput

MAX_DEPTH = 50
MAX_ALIASES = 200
MAX_EXPANDED = 100_000
"""Nodes that aliases may stand for in one file."""
MAX_MERGED = 10_000
"""Entries that merge keys may copy in one file."""


@dataclass(slots=True, eq=False)
class _Open:
    """A map or list whose end has not come yet."""

    node: Node
    anchor: str
    key: Node | None = None
    merges: list[Node] = field(default_factory=list)


class Composer:
    """Turns events into nodes with a stack of its own, so that depth is a number and not a crash."""

    def __init__(self, name: str, *, resolve_aliases: bool, several: bool) -> None:
        self._name = name
        self._resolve = resolve_aliases
        self._several = several
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0
        self._aliases = 0
        self._expanded = 0
        self._merged = 0
        self.line = 1
        self.column = 1

    def documents(self, events: Iterable[Any]) -> list[Node]:
        """Every document of a file that holds something.

        Raises: InvalidInput, also for a second document unless `several`.
        """
        found = []
        handlers = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._start_map,
            "SequenceStartEvent": self._start_seq,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
        }
        for event in events:
            name = type(event).__name__
            if name == "DocumentStartEvent" and self._documents and not self._several:
                raise self._fail(self._node(event, Kind.SCALAR), codes.SYNTAX, "a second document in one file")
            handler = handlers.get(name)
            if handler:
                handler(event)
            elif name == "DocumentEndEvent":
                self._documents += 1
                root, self._root, self._anchors = self._root, None, {}
                if root is not None and not root.is_null:
                    found.append(root)
        return found

    def _fail(self, node: Node, code: str, what: str, hint: str = "") -> InvalidInput:
        return InvalidInput([node.finding(code, what, hint)])

    def _node(self, event: Any, kind: int) -> Node:
        mark = event.start_mark
        self.line, self.column = mark.line + 1, mark.column + 1
        return Node(
            kind=kind,
            file=self._name,
            line=self.line,
            column=self.column,
            start=mark.index,
            end=event.end_mark.index,
        )

    def _scalar(self, event: Any) -> None:
        node = self._node(event, Kind.SCALAR)
        node.style = "" if event.style in (None, "", ":") else event.style
        tag = event.tag
        if tag in CORE_TAGS:
            try:
                node.value = tagged(event.value, CORE_TAGS[tag])
            except ValueError as error:
                raise self._fail(node, codes.VALUE, f"is {error}") from error
        elif tag and tag != "!":
            node.value, node.tag = event.value, str(tag)
        else:
            node.value = resolve(event.value) if not node.style and not tag else event.value
        self._add(node, event.anchor, text=event.value)

    def _start_map(self, event: Any) -> None:
        self._open(event, Kind.MAP)

    def _start_seq(self, event: Any) -> None:
        self._open(event, Kind.SEQ)

    def _open(self, event: Any, kind: int) -> None:
        node = self._node(event, kind)
        node.style = "flow" if event.flow_style else ""
        if event.tag and event.tag not in CORE_TAGS and event.tag != "!":
            node.tag = str(event.tag)
        if len(self._stack) >= MAX_DEPTH:
            raise self._fail(node, codes.LIMIT, f"is nested deeper than {MAX_DEPTH} levels")
        if self._stack and self._stack[-1].node.kind == Kind.MAP and self._stack[-1].key is None:
            raise self._fail(node, codes.SYNTAX, "a key must be plain text, not a map or a list")
        self._stack.append(_Open(node, event.anchor or ""))

    def _end(self, event: Any) -> None:
        opened = self._stack.pop()
        node = opened.node
        node.end = event.end_mark.index
        for source in opened.merges:
            self._merge(node, source)
        self._add(node, opened.anchor)

    def _alias(self, event: Any) -> None:
        node = self._node(event, Kind.ALIAS)
        if not self._resolve:
            node.value = f"*{event.anchor}"
            self._add(node, "", text=node.value)
            return
        target = self._anchors.get(event.anchor)
        if target is None:
            raise self._fail(node, codes.SYNTAX, f"alias *{event.anchor} has no anchor above it")
        self._aliases += 1
        self._expanded += target.size
        too_deep = len(self._stack) + target.height > MAX_DEPTH
        if too_deep or self._aliases > MAX_ALIASES or self._expanded > MAX_EXPANDED:
            raise self._fail(node, codes.LIMIT, "too many aliases, or aliases of aliases", "write the values out")
        self._add(target, "", text=str(target.value))

    def _add(self, node: Node, anchor: str | None, *, text: str = "") -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if parent.node.kind == Kind.SEQ:
            parent.node.items.append(node)
            parent.node.grow(node)
        elif parent.key is None:
            if node.kind in (Kind.MAP, Kind.SEQ):
                raise self._fail(node, codes.SYNTAX, "a key must be plain text, not a map or a list")
            parent.key = self._key(parent, node, text)
        else:
            self._set(parent, parent.key, node)
            parent.node.grow(node)
            parent.key = None

    def _key(self, parent: _Open, node: Node, text: str) -> Node:
        key = Node(
            kind=Kind.SCALAR,
            file=node.file,
            line=node.line,
            column=node.column,
            start=node.start,
            end=node.end,
            value=text,
            style=node.style,
        )
        if text in parent.node.entries:
            first = parent.node.entries[text].key.line
            raise self._fail(key, codes.DUPLICATE, f"the key {text[:60]!r} stands here again", f"first on line {first}")
        return key

    def _set(self, parent: _Open, key: Node, node: Node) -> None:
        if key.value != "<<" or key.style or not self._resolve:
            parent.node.entries[str(key.value)] = Entry(key, node)
            return
        sources = node.items if node.kind == Kind.SEQ else [node]
        if parent.merges or any(source.kind != Kind.MAP for source in sources):
            raise self._fail(key, codes.SYNTAX, "`<<` takes one map, or one list of maps")
        parent.merges.extend(sources)

    def _merge(self, node: Node, source: Node) -> None:
        self._merged += len(source.entries)
        if self._merged > MAX_MERGED:
            raise self._fail(node, codes.LIMIT, "merge keys copy too much", "write the values out")
        for key, entry in source.entries.items():
            if key not in node.entries:
                node.entries[key] = entry
                node.grow(entry.value)
