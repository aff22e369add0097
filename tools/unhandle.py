"""Takes the handling of a failure out of a copy of pvenix and demands that the test of its row turns red.

    python tools/unhandle.py               ten removals, drawn by a seed that is printed
    python tools/unhandle.py --seed 7      the same ten again
    python tools/unhandle.py F05 T7        those of these rows
    python tools/unhandle.py --all

A removal is a text of one file and what stands there without the handling. The tests are first run on the untouched copy,
where they must pass; a removal whose text is no longer there is an error.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.removals import REMOVALS
from tools.removals.spec import Removal

ROOT: Final = Path(__file__).resolve().parents[1]
COPIED: Final = ("src", "tui", "tests", "tools", "inventory", "playbooks", "nix", "pyproject.toml", "docs", "README.md")
DRAWN: Final = 10
PATIENCE_S: Final = 240.0
_RED: Final = 1
"""pytest's exit status for failed tests; 2 to 5 mean that it could not run them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one removal."""

    removal: Removal
    red: bool
    said: str


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every removal turned its test red, 1 when one did not, 2 when the tests could not be run."""
    options = _parse(arguments)
    chosen = _chosen(options)
    with tempfile.TemporaryDirectory(prefix="pvenix-unhandle-") as folder:
        whole = copy(Path(folder) / "whole")
        status, said = run_tests(whole, [test for removal in chosen for test in removal.tests])
        if status != 0:
            print(f"unhandle: the tests are not green before anything is removed:\n{said}")
            return 2
        print(f"unhandle: {len(chosen)} tests are green on the untouched copy", flush=True)
        with ThreadPoolExecutor(max_workers=options.jobs) as pool:
            judging = pool.map(lambda removal: judge(removal, Path(folder) / removal.slug, whole), chosen)
            verdicts = [_told(verdict) for verdict in judging]
    green = [verdict for verdict in verdicts if not verdict.red]
    print(f"unhandle: {len(verdicts) - len(green)} of {len(verdicts)} removals turned their test red")
    return 1 if green else 0


def _told(verdict: Verdict) -> Verdict:
    """The verdict, printed."""
    print(f"{'red' if verdict.red else 'GREEN':5}  {verdict.removal.rows[0]:4} {verdict.removal.what}", flush=True)
    if not verdict.red:
        print(verdict.said, flush=True)
    return verdict


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show that the tests of failures notice when their handling is gone.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only the removals of these rows")
    parser.add_argument("--seed", type=int, help="draw the same ten as before")
    parser.add_argument("--all", action="store_true", help="every removal")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    return parser.parse_args(arguments)


def _chosen(options: argparse.Namespace) -> list[Removal]:
    """The removals that the command line asks for; SystemExit for a row that has none."""
    if options.rows:
        wanted = {row.upper() for row in options.rows}
        found = [removal for removal in REMOVALS if wanted & set(removal.rows)]
        missing = wanted - {row for removal in found for row in removal.rows}
        if missing:
            raise SystemExit(f"unhandle: no removal for {', '.join(sorted(missing))}")
        return found
    if options.all:
        return list(REMOVALS)
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    print(f"unhandle: seed {seed}; the same again: python tools/unhandle.py --seed {seed}", flush=True)
    return random.Random(seed).sample(REMOVALS, DRAWN)


def judge(removal: Removal, folder: Path, whole: Path = ROOT) -> Verdict:
    """Take the handling out of a copy of `whole` and run the row's tests there."""
    tree = copy(folder, whole)
    removal.apply(tree)
    try:
        status, said = run_tests(tree, removal.tests)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return Verdict(removal=removal, red=status == _RED, said=said)


def copy(target: Path, whole: Path = ROOT) -> Path:
    """The sources and tests of `whole` without what was built from them."""
    for name in COPIED:
        source = whole / name
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.whl"))
        elif source.exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit status and last lines for these tests of a copy."""
    env = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree / 'tui'}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header")
    done = subprocess.run(
        (*command, "--tb=line", *dict.fromkeys(tests)),
        cwd=tree,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.returncode, "\n".join((done.stdout + done.stderr).splitlines()[-12:])


if __name__ == "__main__":
    raise SystemExit(main())
