"""YAML with positions: a small tree whose every key and value knows its file, line and column.

The events come from the C parser of ruamel.yaml.clib (or ruamel's own parser where it is missing); the tree is
built here, so that limits hold while reading and nothing is executed, expanded or guessed. Scalars follow the
core schema of YAML 1.2: `NO` is a string, `010` is ten.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvenix.fleet import codes
from pvenix.fleet.node import Entry, Kind, Node
from pvenix.fleet.scalars import CORE_TAGS, resolve, tagged
from pvenix.model.errors import InvalidInput
from pvenix.model.findings import Finding

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_ALIASES = 200
MAX_EXPANDED = 100_000
"""Nodes that aliases may stand for in one file."""
MAX_MERGED = 10_000
"""Entries that merge keys may copy in one file."""


def read(path: Path, name: str) -> Node | None:
    """The document in the file `path`, shown as `name` in findings; None when it holds nothing.

    Raises: InvalidInput with the place of the problem.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _invalid(name, codes.FILE, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise _invalid(name, codes.LIMIT, "is larger than 1 MiB", hint="split it into group_vars and host_vars files")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid(name, codes.FILE, "is not UTF-8 text", line=line, hint="save the file as UTF-8") from error
    return parse(text, name)


def parse(text: str, name: str, *, resolve_aliases: bool = True) -> Node | None:
    """The document in `text`, or None when it holds nothing; `name` is the file's name in findings.

    With `resolve_aliases=False` aliases stay nodes of their own and `<<` stays a key, as edits need it.
    Raises: InvalidInput with the place of the problem.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    composer = _Composer(name, resolve_aliases=resolve_aliases)
    try:
        try:
            return composer.document(_events(text))
        except MarkedYAMLError as error:
            if error.problem != _COLON_IN_FLOW:
                raise
        composer = _Composer(name, resolve_aliases=resolve_aliases)
        return composer.document(_pure_events(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and error.context_mark and mark.index >= len(text.rstrip()):
            mark = error.context_mark  # what was opened says more than where the file ends
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        why = str(error.problem or error.context or "not YAML")
        raise _invalid(name, codes.SYNTAX, why, line=line, column=column, hint=_syntax_hint(why)) from error
    except YAMLError as error:
        line, column = _place(text, getattr(error, "position", 0) or 0)
        raise _invalid(name, codes.SYNTAX, "a character that YAML does not allow", line=line, column=column) from error
    except (RecursionError, ValueError, OverflowError) as error:
        line, column = composer.line, composer.column
        raise _invalid(name, codes.LIMIT, "cannot be read as YAML here", line=line, column=column) from error


def _invalid(file: str, code: str, what: str, *, line: int = 1, column: int = 1, hint: str = "") -> InvalidInput:
    return InvalidInput([Finding(file=file, line=line, column=column, code=code, what=what, hint=hint)])


def _syntax_hint(why: str) -> str:
    if "\\t" in why or "tab" in why:
        return "indent with spaces, not with tabs"
    if "mapping values are not allowed" in why:
        return 'quote a value that contains ": "'
    if "anchor" in why or "alias" in why:
        return "quote a value that begins with & or *"
    return "check indentation, quotes and brackets on this line and the one above"


def _place(text: str, index: int) -> tuple[int, int]:
    index = min(index, len(text))
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


_COLON_IN_FLOW = "found unexpected ':'"
"""The C parser's complaint about `[https://host]`, which is YAML: the libyaml 0.1.7 inside ruamel.yaml.clib 0.2.15
is older than that rule. Such a file is read by the slower parser."""


def _pure_events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    yield from YAML(typ="safe", pure=True).parse(text)


def _events(text: str) -> Iterator[Any]:
    try:
        clib = importlib.import_module("_ruamel_yaml")
    except ImportError:
        yield from _pure_events(text)
        return
    get_event: Callable[[], Any] = clib.CParser(text).get_event
    while (event := get_event()) is not None:
        yield event


@dataclass(slots=True, eq=False)
class _Open:
    """A map or list whose end has not come yet."""

    node: Node
    anchor: str
    key: Node | None = None
    merges: list[Node] = field(default_factory=list)


class _Composer:
    """Turns events into nodes with a stack of its own, so that depth is a number and not a crash."""

    def __init__(self, name: str, *, resolve_aliases: bool) -> None:
        self._name = name
        self._resolve = resolve_aliases
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0
        self._aliases = 0
        self._expanded = 0
        self._merged = 0
        self.line = 1
        self.column = 1

    def document(self, events: Iterator[Any]) -> Node | None:
        handlers = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._start_map,
            "SequenceStartEvent": self._start_seq,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
            "DocumentStartEvent": self._start_document,
        }
        for event in events:
            handler = handlers.get(type(event).__name__)
            if handler:
                handler(event)
        root = self._root
        return None if root is None or root.is_null else root

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

    def _start_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._fail(self._node(event, Kind.SCALAR), codes.SYNTAX, "a second document in one file")

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
