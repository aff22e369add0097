"""Kill every verb at every kind of moment and resume it: python tools/kill_matrix.py --seeds 20.

Each kill is compared with a twin that nobody disturbed: the same end state, nothing twice, no acknowledged row of the
journal lost. A broken one prints the command that plays it alone.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pvenix.model.verbs import VERBS  # noqa: E402 - the checkout's root comes first
from tests.sim.golden import Golden  # noqa: E402 - as above
from tests.sim.kill_scenes import SCENES  # noqa: E402 - as above
from tests.sim.kills import Moment, kill, twin  # noqa: E402 - as above

_golden: list[Golden] = []


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of the kills of one verb and seed."""

    verb: str
    seed: int
    kills: int
    calls: tuple[str, ...]
    """Where the processes died."""
    broken: tuple[tuple[str, str], ...]
    """Moment and reason."""


def main() -> int:
    """0 when every kill ended as its twin, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds from there on")
    parser.add_argument("--verb", action="append", choices=sorted(SCENES), help="only this verb; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    options = parser.parse_args()
    if missing := sorted(VERBS.keys() ^ SCENES.keys()):
        print(f"verbs without a scene in tests/sim/kill_scenes.py: {', '.join(missing)}")
        return 1
    verbs, seeds = options.verb or list(SCENES), range(options.seed, options.seed + options.seeds)
    began, kills, broken, places = time.monotonic(), 0, 0, Counter[str]()
    for result in results(verbs, seeds, options.jobs):
        kills += result.kills
        places.update(result.calls)
        for moment, why in result.broken:
            broken += 1
            print(f"{result.verb}, seed {result.seed}, {moment}: {why[:2000]}")
            again = f"--verb {result.verb} --seed {result.seed} --seeds 1 --jobs 1"
            print(f"  again: python tools/kill_matrix.py {again}", flush=True)
    print(f"{len(verbs)} verbs x {len(Moment)} moments x {len(seeds)} seeds: {kills} kills at {len(places)} different")
    print(f"places, {broken} broken, {time.monotonic() - began:.1f} s")
    return int(bool(broken))


def results(verbs: Sequence[str], seeds: Sequence[int], jobs: int) -> Iterator[Result]:
    """Each verb and seed."""
    each = [(verb, seed) for verb in verbs for seed in seeds]
    names, numbers = [verb for verb, _ in each], [seed for _, seed in each]
    if jobs == 1:
        prepare()
        yield from map(played, names, numbers)
        return
    with ProcessPoolExecutor(jobs, initializer=prepare) as pool:
        yield from pool.map(played, names, numbers, chunksize=5)


def prepare() -> None:
    """Seed the site of this process."""
    _golden.append(Golden.make())
    atexit.register(_golden[-1].remove)


def played(verb: str, seed: int) -> Result:
    """The kills of one verb and seed, all compared with one twin."""
    golden, calls, broken = _golden[-1], [], []
    try:
        like = twin(golden, verb, seed)
    except AssertionError as error:
        return Result(verb=verb, seed=seed, kills=0, calls=(), broken=(("undisturbed", str(error)),))
    for moment in Moment:
        try:
            calls.append(f"{verb} {kill(golden, like, verb, moment, seed).place}")
        except AssertionError as error:
            broken.append((str(moment), str(error)))
    return Result(verb=verb, seed=seed, kills=len(Moment), calls=tuple(calls), broken=tuple(broken))


if __name__ == "__main__":
    sys.exit(main())
