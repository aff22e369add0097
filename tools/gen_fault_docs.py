"""Writes docs/faults.md: each row of known failures, the fault of the lab that shows it, and the tests of both sides.

The lab's side is read from its catalogue, pvenix' side from the tests that say which rows they prove (`@row`). `--check`
only compares.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pvenix_lab.site.faults import CATALOGUE, ROWS

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "faults.md"
ALWAYS: Final = {
    "F15": "tests/lab/test_pve_cloudinit.py",
    "F29": "tests/lab/test_pve_access.py",
    "F30": "tests/lab/test_pve_cloudinit.py",
    "F39": "tests/lab/test_pve_config.py",
}
"""Where the lab's standing behaviour is tested, by row."""
ELSEWHERE: Final = {
    "F29": "tests/unit/test_fleet_findings.py: such fields are refused when the fleet is read",
    "F32": "tests/story/test_interrupted.py, tests/sim/test_stories.py",
    "T9": "tests/contract/test_ssh_guest.py",
    "T11": "tests/contract/test_git_repo.py",
    "T12": "tests/unit/test_fleet_yaml.py",
    "T14": "tests/story/test_interrupted.py",
    "T15": "tests/unit/test_secret_providers.py",
    "T16": "tests/unit/test_lint.py",
}
"""Tests that prove a row and were there before it had a fault."""
COMMAND_LINE: Final = ("StoryLab", "tests.story.inside")
"""A file of tests with one of these drives the command line over sockets."""
LATER: Final = {
    "T13": "no part of a site",
}
"""Rows that need a verb of a later version, and which."""
HEAD: Final = """# Faults

Written by `python tools/gen_fault_docs.py` from the lab's catalogue and from the tests; do not edit. `pvenix lab fault DIR
--list` prints the faults with their arguments; a row's id is a name for its fault:

    pvenix lab fault /tmp/lab F05 --host web-001 --for 30
    pvenix lab fault /tmp/lab pve-status --nth 3 --times 2 --arg status=503
    pvenix lab clear /tmp/lab

F rows are failures that other Proxmox tools met, T rows traps of the libraries below, R rows the fault matrix. An *occasion*
strikes matching calls or commands (`--times`, `--nth`, `--chance`), a *state* holds until it is cleared (`--for`), an *event*
happens once (`--after`). Everything is drawn from the site's seed. Faults of the API and of guests are the same in memory
(`tests/sim`) and over sockets; in memory a broken stream is what the adapter would have been told, silence ends after the
keepalives, and the repository's faults exist over real Git only.

Each F row is also driven through the command line over a lab's sockets (the last column): the fault is armed on the far side, and
there it is seen what became of it.

`python tools/unhandle.py` takes the handling of a row out of a copy of pvenix and shows that its test turns red.

## Rows

| row | what | fault | lab test | pvenix test | through the command line |
|---|---|---|---|---|---|
"""
CATALOGUE_HEAD: Final = """
## Faults by name

| fault | rows | where, kind | what | arguments |
|---|---|---|---|---|
"""


def main() -> int:
    """0 when the page is written, or with --check when it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.is_file() and PAGE.read_text() == text
        print(f"{PAGE.name} is {'up to date' if fresh else 'stale: python tools/gen_fault_docs.py'}")
        return 0 if fresh else 1
    PAGE.write_text(text)
    return 0


def page() -> str:
    """The page as it should be."""
    lab, proofs = lab_tests(), proofs_by_row()
    lines = [_row(name, lab, proofs) for name in ROWS]
    return HEAD + "".join(lines) + CATALOGUE_HEAD + "".join(map(_fault, CATALOGUE))


def _row(name: str, lab: Mapping[str, list[str]], proofs: Mapping[str, list[str]]) -> str:
    row = ROWS[name]
    arguments = ", ".join(f"{key}={value}" for key, value in row.args.items())
    fault = f"`{row.fault}`" + (f" {arguments}" if arguments else "") if row.fault else row.note
    shown = ", ".join(lab.get(row.fault, [])) or ALWAYS.get(name, "—")
    commands = [proof for proof in proofs.get(name, []) if is_command_line(proof)]
    handled = [proof for proof in proofs.get(name, []) if proof not in commands]
    handled += [ELSEWHERE[name]] if name in ELSEWHERE else []
    if name in LATER:
        handled.append(f"later: {LATER[name]}")
    cells = (name, row.what, fault, shown, "<br>".join(handled) or "—", "<br>".join(commands) or "—")
    return f"| {' | '.join(cells)} |\n"


def _fault(name: str) -> str:
    spec = CATALOGUE[name]
    arguments = "<br>".join(
        f"`{arg.name}` {arg.type}{f' ({arg.default})' if arg.default != '' else ''}: {arg.what}".replace("|", "\\|")
        for arg in spec.args
    )
    cells = (
        f"`{name}`",
        ", ".join(spec.rows) or "—",
        f"{spec.face.value}, {spec.kind.value}",
        spec.what,
        arguments or "—",
    )
    return f"| {' | '.join(cells)} |\n"


def lab_tests() -> dict[str, list[str]]:
    """The files of the lab's tests that arm a fault, by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests" / "lab").glob("test_*.py")):
        text = path.read_text()
        for name in CATALOGUE:
            marks = (f'arm("{name}"', f'shows("{name}"', f'    "{name}', f'("{name}", "')
            if path.name != "test_faults.py" and any(mark in text for mark in marks):
                found[name].append(path.name)
    return found


def proofs_by_row() -> dict[str, list[str]]:
    """The tests that say which rows they prove, by row."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests" / "story").glob("test_*.py")):
        for test, rows in tests_of(path):
            for name in rows:
                found[name].append(f"{path.name}::{test}")
    return found


@cache
def command_line_files() -> frozenset[str]:
    """The files of stories whose tests drive the command line over sockets."""
    stories = (ROOT / "tests" / "story").glob("test_*.py")
    return frozenset(path.name for path in stories if any(word in path.read_text() for word in COMMAND_LINE))


def is_command_line(proof: str) -> bool:
    """True for a proof (`file::test`) that drives the command line over sockets."""
    return proof.partition("::")[0] in command_line_files()


def tests_of(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tests with a `@row` decorator, and its arguments."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "row":
                yield function.name, tuple(str(arg.value) for arg in decorator.args if isinstance(arg, ast.Constant))


if __name__ == "__main__":
    raise SystemExit(main())
