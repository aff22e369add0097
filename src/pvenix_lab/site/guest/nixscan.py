"""What a NixOS module says, read from its syntax tree: imports, the paths it needs, and the options it sets.

This is no evaluator: it understands literal values, `lib.mkForce`, `lib.mkDefault`, `lib.mkIf`, `lib.mkMerge`, and names bound to
`import ./file.nix`. Everything else is kept as text, so that a change in it still changes what is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_nix

if TYPE_CHECKING:
    from tree_sitter import Node

FORCE, NORMAL, DEFAULT = 50, 100, 1000  # lib.mkForce, a plain definition, lib.mkDefault (nixpkgs: lib/modules.nix)
_PRIORITIES = {"mkForce": FORCE, "mkDefault": DEFAULT}
_WRAPPERS = frozenset(
    {"parenthesized_expression", "with_expression", "let_expression", "function_expression", "assert_expression"}
)


@dataclass(frozen=True, slots=True)
class Raw:
    """A value that is not understood, as its source text."""

    text: str


Value = str | int | bool | None | list["Value"] | Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position in a file; line and column count from one."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A relative path that the file names; `module` when it stands in `imports`."""

    path: str
    place: Place
    module: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One definition of an option, with the conditions (`lib.mkIf`) around it."""

    path: tuple[str, ...]
    node: Node
    priority: int
    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Everything read from one file; `broken` is where its syntax ends to make sense."""

    broken: tuple[Place, str] | None
    references: tuple[Reference, ...] = ()
    settings: tuple[Setting, ...] = ()
    imports: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=4096)
def scan(source: bytes) -> Scan:
    """Read one Nix file. The result depends on the text only, so files that hosts share are read once."""
    root = _parser().parse(source).root_node
    if root.has_error:
        return Scan(broken=_broken(root))
    return Scan(
        broken=None,
        references=tuple(_references(root, module=False)),
        settings=tuple(s for child in root.named_children for s in _module_settings(child)),
        imports=dict(_imports(root)),
    )


@lru_cache(maxsize=1)
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_nix.language()))


def _place(node: Node) -> Place:
    return Place(line=node.start_point.row + 1, column=node.start_point.column + 1)


def text_of(node: Node | None) -> str:
    """The source text of a node."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def _broken(root: Node) -> tuple[Place, str]:
    todo = [root]
    while todo:
        node = todo.pop(0)
        if node.is_missing:
            return _place(node), f"syntax error, unexpected end of expression, expecting {node.type}"
        if node.is_error:
            word = text_of(node).split()[0] if text_of(node).split() else "end of file"
            return _place(node), f"syntax error, unexpected '{word[:20]}'"
        todo = [child for child in node.children if child.has_error or child.is_error or child.is_missing] + todo
    return _place(root), "syntax error"


def _references(node: Node, *, module: bool) -> Iterator[Reference]:
    if node.type == "path_expression":
        if not any(child.type == "interpolation" for child in node.children):
            yield Reference(path=text_of(node), place=_place(node), module=module)
        return
    is_import = node.type == "binding" and text_of(node.child_by_field_name("attrpath")) == "imports"
    for child in node.named_children:
        yield from _references(child, module=module or is_import)


def _imports(node: Node) -> Iterator[tuple[str, str]]:
    """Names bound to `import ./path`."""
    if node.type == "binding":
        value = node.child_by_field_name("expression")
        if value is not None and value.type == "apply_expression" and text_of(_function(value)) == "import":
            yield text_of(node.child_by_field_name("attrpath")), text_of(value.child_by_field_name("argument"))
    for child in node.named_children:
        yield from _imports(child)


def _function(node: Node) -> Node | None:
    return node.child_by_field_name("function")


def _unwrap(node: Node) -> Node:
    while node.type in _WRAPPERS:
        inner = node.child_by_field_name("body") or node.child_by_field_name("expression") or node.named_children[-1]
        node = inner
    return node


def _module_settings(node: Node) -> Iterator[Setting]:
    body = _unwrap(node)
    for setting in settings_in(body):
        head = setting.path[0]
        if head == "config" and len(setting.path) > 1:
            yield Setting(
                path=setting.path[1:], node=setting.node, priority=setting.priority, conditions=setting.conditions
            )
        elif head not in ("imports", "options", "config"):
            yield setting


def settings_in(
    node: Node, path: tuple[str, ...] = (), priority: int = NORMAL, conditions: tuple[Node, ...] = ()
) -> Iterator[Setting]:
    """Every leaf of an attribute set, `a.b = { c = 1; }` being `a.b.c`."""
    node = _unwrap(node)
    if node.type in ("attrset_expression", "rec_attrset_expression"):
        for binding in (b for s in node.named_children if s.type == "binding_set" for b in s.named_children):
            value = binding.child_by_field_name("expression")
            names = binding.child_by_field_name("attrpath")
            if binding.type == "binding" and value is not None and names is not None:
                yield from settings_in(value, path + _attributes(names), priority, conditions)
        return
    name, arguments = _application(node)
    if name in _PRIORITIES and len(arguments) == 1:
        yield from settings_in(arguments[0], path, _PRIORITIES[name], conditions)
    elif name == "mkIf" and len(arguments) == 2:
        yield from settings_in(arguments[1], path, priority, (*conditions, arguments[0]))
    elif name == "mkMerge" and len(arguments) == 1:
        for item in _unwrap(arguments[0]).named_children:
            yield from settings_in(item, path, priority, conditions)
    elif path:
        yield Setting(path=path, node=node, priority=priority, conditions=conditions)


def _application(node: Node) -> tuple[str, list[Node]]:
    """`lib.f a b` as ("f", [a, b])."""
    arguments: list[Node] = []
    while node.type == "apply_expression":
        argument, function = node.child_by_field_name("argument"), _function(node)
        if argument is None or function is None:
            break
        arguments.insert(0, argument)
        node = function
    return text_of(node).removeprefix("lib."), arguments


def _attributes(attrpath: Node) -> tuple[str, ...]:
    return tuple(text_of(child).strip('"') for child in attrpath.named_children)
