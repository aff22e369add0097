"""Kill a process that writes a run's journal, a hundred times: python tools/journal_kills.py --count 100.

After each `kill -9` every row that was acknowledged must be there, none twice, and the database whole.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, cast

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pvenix.engine.journal import read_entries  # noqa: E402 - the checkout's root comes first
from tests.unit.test_engine_journal import WRITER  # noqa: E402 - as above


def main() -> int:
    """0 when no acknowledged row was lost, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many kills")
    parser.add_argument("--seed", type=int, default=1, help="chooses after how many acknowledged rows each comes")
    options = parser.parse_args()
    rng, began, rows, lost, broken = random.Random(options.seed), time.monotonic(), 0, 0, 0
    for _ in range(options.count):
        acknowledged, kept, whole = killed(rng.randint(1, 60), rng.random() * 0.02)
        rows += acknowledged
        lost += acknowledged - kept
        broken += not whole
    print(f"{options.count} kills, {rows} acknowledged rows, {lost} lost, {broken} databases not whole")
    print(f"{time.monotonic() - began:.0f} s")
    return int(bool(lost or broken))


def killed(lines: int, later_s: float) -> tuple[int, int, bool]:
    """How many rows were acknowledged before the kill, how many of them are there, and whether the database is whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        words = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
            said = cast("IO[str]", writer.stdout)
            acknowledged = [int(said.readline()) for _ in range(lines)][-1]
            time.sleep(later_s)
            writer.send_signal(signal.SIGKILL)
            rest = said.read().splitlines()
        acknowledged = int(rest[-1]) if rest else acknowledged
        numbers = [int(row.data["number"]) for row in read_entries(path)]
        with contextlib.closing(sqlite3.connect(path)) as database:
            state = database.execute("PRAGMA integrity_check").fetchone()[0]
        kept = len(set(range(acknowledged)) & set(numbers))
        return acknowledged, kept, state == "ok" and len(numbers) == len(set(numbers))


if __name__ == "__main__":
    sys.exit(main())
