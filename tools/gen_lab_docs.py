"""Writes the tables of docs/lab.md from the rows and the tests that are about them; `--check` only compares."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.lab.wire.rows import ELSEWHERE, NOT_SIMULATED, ROWS, SECTIONS  # noqa: E402  importable from here on only

PAGE: Final = ROOT / "docs" / "lab.md"
WIRE: Final = ROOT / "tests" / "lab" / "wire"
START: Final = "<!-- rows: written by tools/gen_lab_docs.py -->\n"
END: Final = "<!-- end of rows -->\n"
_ROW: Final = re.compile(r"[A-Z]\d+-\d+")


def main() -> int:
    """0 when the page is written, or with --check when it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.read_text() == text
        print(f"{PAGE.name} is {'up to date' if fresh else 'stale: python tools/gen_lab_docs.py'}")
        return 0 if fresh else 1
    PAGE.write_text(text)
    return 0


def page() -> str:
    """The page as it should be: what people wrote around it, and the tables."""
    before, found, rest = PAGE.read_text().partition(START)
    if not found:
        raise SystemExit(f"{PAGE} has no line {START!r}")
    return before + START + tables() + END + rest.partition(END)[2]


def tables() -> str:
    """A table for each section, and one of what is not simulated."""
    tests = by_row()
    parts = []
    for section, title in SECTIONS.items():
        rows = [row for row in ROWS if row.partition("-")[0] == section]
        if rows:
            lines = [f"| {row} | {_cell(ROWS[row])} | {', '.join(tests.get(row, ['none']))} |\n" for row in rows]
            parts.append(f"\n### {section}: {title}\n\n| row | behaviour | test |\n|---|---|---|\n{''.join(lines)}")
    missing = [f"| {row} | {_cell(what)} | {_cell(why)} |\n" for row, (what, why) in NOT_SIMULATED.items()]
    parts.append(f"\n### Not simulated\n\n| row | behaviour | why |\n|---|---|---|\n{''.join(missing)}\n")
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def by_row() -> dict[str, list[str]]:
    """The tests of each row, as `module::name`."""
    found: dict[str, list[str]] = {}
    for module, name, rows in tests_with_rows():
        for row in rows:
            found.setdefault(row, []).append(f"`{module}::{name}`")
    for row, test in ELSEWHERE.items():
        found.setdefault(row, []).append(f"`{test.removeprefix('tests/lab/')}`")
    return found


def tests_with_rows() -> Iterator[tuple[str, str, list[str]]]:
    """Module, name and rows of every test of the wire, in the order of the files."""
    for file in sorted(WIRE.glob("test_wire_*.py")):
        module = importlib.import_module(f"tests.lab.wire.{file.stem}")
        for name, value in vars(module).items():
            if name.startswith("test_") and isinstance(value, FunctionType) and value.__module__ == module.__name__:
                yield file.stem, name, rows_of(value)


def rows_of(test: FunctionType) -> list[str]:
    """The rows that a test is marked with, and those that its parameters are named by."""
    rows: list[str] = list(getattr(test, "rows", ()))
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            ids = (getattr(case, "id", None) for case in mark.args[1])
            rows += [match[0] for name in ids if isinstance(name, str) and (match := _ROW.match(name))]
    return list(dict.fromkeys(rows))


if __name__ == "__main__":
    sys.exit(main())
