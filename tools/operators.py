"""Let two operators work on the same host, interleaved in ways that a seed chooses: python tools/operators.py --count 200.

One of their machines may fall asleep at any call, also while it holds the host; the other may then take the host over,
as the error about it says. The service manager of the simulated guest is asked whether two activations ever ran at once.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.sim.golden import Golden  # noqa: E402 - the checkout's root comes first
from tests.sim.operators import Told, interleaved  # noqa: E402 - as above

_golden: list[Golden] = []


def main() -> int:
    """0 when no interleaving broke a rule, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first interleaving")
    parser.add_argument("--count", type=int, default=200, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    options = parser.parse_args()
    began, broken, told = time.monotonic(), 0, list[Told]()
    with ProcessPoolExecutor(options.jobs, initializer=prepare) as pool:
        seeds = range(options.seed, options.seed + options.count)
        for seed, found in zip(seeds, pool.map(played, seeds, chunksize=5), strict=True):
            if isinstance(found, Told):
                told.append(found)
                continue
            broken += 1
            print(f"interleaving {seed}: {found[:2000]}")
            print(f"  again: python tools/operators.py --seed {seed} --count 1 --jobs 1", flush=True)
    ends: Counter[str] = sum((one.ends for one in told), Counter())
    print(f"ends: {', '.join(f'{end} {count}' for end, count in sorted(ends.items()))}")
    activations, skipped = sum(one.activations for one in told), sum(one.skipped for one in told)
    print(
        f"{activations} activations, {skipped} skipped by their conditions, {sum(one.taken_over for one in told)} hosts taken over"
    )
    print(f"{options.count} interleavings, {broken} broken, {time.monotonic() - began:.1f} s")
    return int(bool(broken))


def prepare() -> None:
    """Seed the site of this process."""
    _golden.append(Golden.make())
    atexit.register(_golden[-1].remove)


def played(seed: int) -> Told | str:
    """What an interleaving came to, or the rule that it broke."""
    try:
        return interleaved(_golden[-1], seed)
    except (AssertionError, ExceptionGroup) as broken:
        return repr(broken)


if __name__ == "__main__":
    sys.exit(main())
