"""Play one seed of the simulation, or many, and say what broke: python tools/sim.py --seed 42 --verbose."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.sim.golden import Golden  # noqa: E402 - the checkout's root comes first
from tests.sim.scenario import replay, script  # noqa: E402 - as above


def main() -> int:
    """0 when every seed kept every rule, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--verbose", action="store_true", help="tell every event as it happens")
    parser.add_argument("--real-git", action="store_true", help="let the guests run the real git")
    options = parser.parse_args()
    golden, broken, began = Golden.make(), 0, time.process_time()
    try:
        for seed in range(options.seed, options.seed + options.count):
            play = replay(golden, script(seed), verbose=options.verbose, real_git=options.real_git)
            if play.broken is not None:
                broken += 1
                print(f"seed {seed}: {play.broken}")
    finally:
        golden.remove()
    print(f"{options.count} seeds, {broken} broken, {time.process_time() - began:.1f} s of CPU")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
