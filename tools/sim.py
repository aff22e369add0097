"""Play seeds of the simulation, many at once, and say what broke: python tools/sim.py --count 2000.

A broken seed prints the command that plays it alone and tells it line by line; the last line says what the seeds
reached, so that nobody mistakes a quiet simulation for a kept promise.
"""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.sim.golden import Golden  # noqa: E402 - the checkout's root comes first
from tests.sim.scenario import replay  # noqa: E402 - as above
from tests.sim.script import FAMILIES  # noqa: E402 - as above

PATIENCE_S = 60
"""Real seconds after which a seed counts as one that never ends."""
PART = 20
_golden: list[Golden] = []


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one seed."""

    seed: int
    broken: str
    reached: Counter[str]


def main() -> int:
    """0 when every seed kept every rule, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--family", choices=sorted(FAMILIES), default="life", help="what the seeds stand for")
    parser.add_argument("--verbose", action="store_true", help="tell every event as it happens; one at a time")
    parser.add_argument("--real-git", action="store_true", help="let the guests have real files and run the real git")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    began = time.monotonic()
    broken, reached = [], Counter[str]()
    for result in results(seeds, options):
        reached.update(result.reached)
        if result.broken:
            broken.append(result.seed)
            print(f"seed {result.seed}: {result.broken[:2000]}")
            print(f"  replay: python tools/sim.py --family {options.family} --seed {result.seed} --verbose", flush=True)
    print(summary(reached))
    print(f"{options.count} seeds, {len(broken)} broken, {time.monotonic() - began:.1f} s")
    return int(bool(broken))


def results(seeds: range, options: argparse.Namespace) -> Iterator[Result]:
    """The results in the order of the seeds."""
    if options.verbose or options.jobs == 1 or len(seeds) == 1:
        prepare()
        for seed in seeds:
            yield played(seed, options.family, verbose=options.verbose, real_git=options.real_git)
        return
    with ProcessPoolExecutor(options.jobs, initializer=prepare) as pool:
        parts = [seeds[start : start + PART] for start in range(0, len(seeds), PART)]
        for found in pool.map(played_all, parts, repeat(options.family), repeat(options.real_git)):
            yield from found


def prepare() -> None:
    """Seed the site of this process."""
    _golden.append(Golden.make())
    atexit.register(_golden[-1].remove)
    signal.signal(signal.SIGALRM, _too_long)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise AssertionError(f"no end within {PATIENCE_S} s of real time")


def played_all(seeds: Sequence[int], family: str, real_git: bool) -> list[Result]:  # noqa: FBT001 - what a pool passes has no names
    """The results of these seeds."""
    return [played(seed, family, real_git=real_git) for seed in seeds]


def played(seed: int, family: str, *, verbose: bool = False, real_git: bool = False) -> Result:
    """The result of one seed."""
    signal.alarm(PATIENCE_S)
    try:
        play = replay(_golden[-1], FAMILIES[family](seed), verbose=verbose, real_git=real_git)
    except Exception:  # noqa: BLE001 - a seed that ends the simulation itself is broken like any other, and is named
        return Result(seed=seed, broken=traceback.format_exc(), reached=Counter())
    finally:
        signal.alarm(0)
    return Result(seed=seed, broken="" if play.broken is None else str(play.broken), reached=play.sim.reached)


def summary(reached: Counter[str]) -> str:
    """What was reached, by kind: a line each."""
    kinds: dict[str, list[str]] = {}
    for name, count in sorted(reached.items(), key=lambda item: (-item[1], item[0])):
        kind, _, what = name.partition(" ")
        kinds.setdefault(kind, []).append(f"{what} {count}" if what else str(count))
    return "\n".join(f"{kind}: {', '.join(kinds[kind])}" for kind in sorted(kinds))


if __name__ == "__main__":
    sys.exit(main())
