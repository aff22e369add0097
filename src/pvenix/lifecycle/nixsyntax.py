"""What a Nix file is made of, by its syntax tree; nothing is evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Language, Node, Parser
from tree_sitter_nix import language

_PARSER = Parser(Language(language()))


def parse(text: str) -> Node:
    """The root of the syntax tree of `text`; `has_error` tells whether it is valid Nix."""
    return _PARSER.parse(text.encode()).root_node


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, in source order; not recursive, so depth is no limit."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def source(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode(errors="replace")


def line(node: Node) -> int:
    """The line on which a node starts, from 1."""
    return int(node.start_point[0]) + 1


def first_error(root: Node) -> int:
    """The line of the first syntax error, 0 when there is none."""
    return next((line(node) for node in walk(root) if node.is_error or node.is_missing), 0)
