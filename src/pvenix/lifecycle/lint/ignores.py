"""Patterns of `drift.ignore` that hide more than anybody means, or nothing at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from pvenix.fleet.node import Kind, Node
from pvenix.fleet.yaml import parse
from pvenix.lifecycle.ignoring import ignored_by
from pvenix.lifecycle.lint.places import Text
from pvenix.model.errors import InvalidInput
from pvenix.model.lint import Found
from pvenix.model.paths import SITE

_EVERYTHING: Final = ("nix/flake.nix", "nix/common.nix", "nix/modules/role-dns.nix", "nix/hosts/dns01.nix")
"""What no single pattern has a reason to match all of."""
_NO_GLOB: Final = re.compile(r"\{[^}]*,|[\\^$]|^~|\(.*\)")
"""What other languages of patterns have, and a pathspec takes literally (gitglossary(7)); `x~` is a backup."""


def ignores_in(path: str, text: Text) -> Iterator[Found]:
    """What is wrong with each list of `drift.ignore` in a YAML file; one that is no YAML is `validate`'s to tell."""
    if "drift" not in text.whole:
        return
    try:
        tree = parse(text.whole, path, resolve_aliases=False)  # a walk through aliases may have no end
    except InvalidInput:
        return
    for patterns in _lists(tree, inside=PurePosixPath(path).name == PurePosixPath(SITE).name):
        for index, node in enumerate(patterns):
            others = [str(each.value) for each in (*patterns[:index], *patterns[index + 1 :])]
            if found := _judged(str(node.value), others, first=patterns[:index]):
                yield Found(line=node.line, column=node.column, code=found[0], detail=found[1])


def _lists(tree: Node | None, *, inside: bool) -> Iterator[list[Node]]:
    """Every list of patterns below `tree`, which is, or is not, inside of a `machine`."""
    waiting = [(tree, inside)] if tree is not None else []
    while waiting:
        node, inside = waiting.pop()
        for key, entry in node.entries.items():
            if inside and key == "drift":
                listed = (entry.value.get(name) for name in ("ignore", "ignore+"))
                yield [one for each in listed if each for one in (each.items or (each,)) if one.kind == Kind.SCALAR]
            waiting.append((entry.value, inside or key == "machine"))
        waiting += [(item, inside) for item in node.items]


def broken(pattern: str) -> tuple[str, str] | None:
    """The rule that a pattern breaks whatever stands beside it, with what exactly; None when it breaks none."""
    if all(ignored_by(path, (pattern,)) for path in _EVERYTHING):
        return "L501", pattern
    if _NO_GLOB.search(pattern):
        return "L502", f"{pattern} is taken letter by letter"
    return None


def _judged(pattern: str, others: Sequence[str], *, first: Sequence[Node]) -> tuple[str, str] | None:
    """The rule that a pattern breaks, with what exactly; None when it breaks none."""
    if found := broken(pattern):
        return found
    if pattern in [str(node.value) for node in first]:
        return "L502", f"{pattern} stands here twice"
    wider = next((other for other in others if other != pattern and ignored_by(pattern, (other,))), "")
    return ("L502", f"{wider} ignores {pattern} already") if wider else None
