"""Writes docs/errors.md, the list of error codes, from the places that raise them; `--check` only compares."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "errors.md"
_CODE: Final = re.compile(r"PVX[0-9]{4}")
HEAD: Final = """# Error codes

Written by `python tools/gen_error_docs.py` from the places that raise them; do not edit. A code keeps its meaning; the words
may change. `…` stands for what differs from case to case.

| code | what |
|---|---|
"""


def main() -> int:
    """0 when the page is written, or with --check when it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.is_file() and PAGE.read_text() == text
        print(f"{PAGE.name} is {'up to date' if fresh else 'stale: python tools/gen_error_docs.py'}")
        return 0 if fresh else 1
    PAGE.write_text(text)
    return 0


def page() -> str:
    """The page as it should be."""
    rows = (f"| {code} | {' / '.join(sorted(words))} |\n" for code, words in sorted(meanings().items()))
    return HEAD + "".join(rows)


def meanings() -> dict[str, set[str]]:
    """Code to the words that are said with it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "src" / "pvenix").rglob("*.py")):
        tree = ast.parse(path.read_text())
        named = dict(_documented(tree))
        for code, words in [*_raised(tree), *named.items()]:
            found[code].add(words.replace("|", "\\|"))
    return found


def _documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Constants and class attributes that hold a code, with the docstring behind them or of their class."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef):
            continue
        for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
            if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)):
                continue
            code = statement.value.value
            if not (isinstance(code, str) and _CODE.fullmatch(code)):
                continue
            behind = following.value if isinstance(following, ast.Expr) else None
            if isinstance(behind, ast.Constant) and isinstance(behind.value, str):
                yield code, behind.value.strip().splitlines()[0]
            elif isinstance(node, ast.ClassDef):
                yield code, (ast.get_docstring(node) or node.name).splitlines()[0]


def _raised(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Calls with a literal `code=` or a constant of the module, with their first argument."""
    constants = {
        target.id: statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg != "code" or not call.args:
                continue
            value = keyword.value
            code = value.value if isinstance(value, ast.Constant) else constants.get(getattr(value, "id", ""))
            if isinstance(code, str) and _CODE.fullmatch(code):
                yield code, _words(call.args[0])


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "…"


if __name__ == "__main__":
    sys.exit(main())
