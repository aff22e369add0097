"""Prints the style card's figures for some trees; exits 1 when a file or a function is over its hard limit.

Function length is last minus first source line plus one; annotated means every parameter and the result.
"""

from __future__ import annotations

import ast
import statistics
import sys
import tokenize
from pathlib import Path
from typing import Final

FILE_SOFT: Final = 300
FILE_HARD: Final = 500
FUNCTION_SOFT: Final = 40
FUNCTION_HARD: Final = 80
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """0 when every file and every function keeps its hard limit."""
    paths = sorted(path for tree in sys.argv[1:] for path in Path(tree).rglob("*.py"))
    trees = {path: ast.parse(path.read_bytes()) for path in paths}
    lengths = {path: len(path.read_bytes().splitlines()) for path in paths}
    functions = [(path, node) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, Function)]
    spans = sorted(span(node) for _, node in functions)
    if not spans:
        sys.exit("style card: no functions found")
    code = sum(code_lines(path) for path in paths)
    broad = sum(is_broad(node) for tree in trees.values() for node in ast.walk(tree))
    public = [node for _, node in functions if not node.name.startswith("_")]
    over_soft, over_hard = (sum(value > limit for value in spans) for limit in (FUNCTION_SOFT, FUNCTION_HARD))
    rows = {
        "files / code lines": f"{len(paths)} / {code}",
        "file median / max lines": f"{statistics.median(lengths.values()):.0f} / {max(lengths.values())}",
        f"files > {FILE_SOFT} lines": str(sum(value > FILE_SOFT for value in lengths.values())),
        "function median / p90 / max": f"{statistics.median(spans):.0f} / {spans[len(spans) * 9 // 10]} / {spans[-1]}",
        f"functions > {FUNCTION_SOFT} / > {FUNCTION_HARD}": f"{over_soft} ({over_soft / len(spans):.1%}) / {over_hard}",
        "annotated": f"{sum(is_annotated(node) for _, node in functions) / len(functions):.1%}",
        "public functions with a docstring": f"{sum(bool(ast.get_docstring(n)) for n in public) / len(public):.1%}",
        "broad excepts per 1000 code lines": f"{broad * 1000 / code:.2f} ({broad})",
    }
    print("\n".join(f"{name:36} {value}" for name, value in rows.items()))
    offenders = [f"{path}: {length} lines, limit {FILE_HARD}" for path, length in lengths.items() if length > FILE_HARD]
    offenders += [
        f"{path}:{node.lineno}: {node.name} has {span(node)} lines, limit {FUNCTION_HARD}"
        for path, node in functions
        if span(node) > FUNCTION_HARD
    ]
    print("\n".join(offenders), file=sys.stderr, end="\n" if offenders else "")
    return 1 if offenders else 0


def span(node: Function) -> int:
    """The source lines that NODE covers."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def code_lines(path: Path) -> int:
    """The lines of PATH that hold more than blanks and comments."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    with tokenize.open(path) as source:
        tokens = [token for token in tokenize.generate_tokens(source.readline) if token.type not in skipped]
    return len({line for token in tokens for line in range(token.start[0], token.end[0] + 1)})


def is_annotated(node: Function) -> bool:
    """Whether every parameter but self and cls, and the result, has a type."""
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    return node.returns is not None and all(
        parameter is None or parameter.annotation or parameter.arg in ("self", "cls") for parameter in named
    )


def is_broad(node: ast.AST) -> bool:
    """Whether NODE is a handler of everything."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in caught)


if __name__ == "__main__":
    sys.exit(main())
