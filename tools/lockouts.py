"""Lock pvenix out of a lab's hosts by their new systems, over real sockets: python tools/lockouts.py --count 100.

Every host has to be back on its old system, to boot it, and to be reachable for a plain SSH client, within the time to
confirm plus 60 s; the run says so and ends with 6.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.lanes.field import HOSTS, a_field  # noqa: E402 - the checkout's root comes first
from tests.lanes.lockouts import CONFIRM_S, GRACE_S, Verdict, a_round  # noqa: E402 - as above


def main() -> int:
    """0 when every host came back in time and the run said so, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many lock-outs")
    parser.add_argument("--jobs", type=int, default=2, help="how many labs of 20 hosts at once")
    parser.add_argument("--seed", type=int, default=1, help="that of the first lab")
    options = parser.parse_args()
    began, share = time.monotonic(), -(-options.count // options.jobs)
    with ThreadPoolExecutor(options.jobs) as pool:
        parts = pool.map(lambda lab: locked_out(share, options.seed * 100 + lab), range(options.jobs))
        verdicts = [one for part in parts for one in part]
    wrong = sum(bool(one.wrong) for one in verdicts)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(one.kind for one in verdicts).items()))
    print(f"{len(verdicts)} lock-outs: {kinds}")
    longest = max(one.seconds for one in verdicts)
    print(
        f"{wrong} wrong; back after at most {longest:.0f} s of {CONFIRM_S} + {GRACE_S} s; {time.monotonic() - began:.0f} s in all"
    )
    return int(bool(wrong))


def locked_out(count: int, seed: int) -> list[Verdict]:
    """At least so many on a lab of their own; what is wrong is shown as it comes."""
    verdicts: list[Verdict] = []
    with a_field(min(HOSTS, count), seed=seed) as site:
        while len(verdicts) < count:
            for one in a_round(site, len(verdicts), f"Lock out from the {len(verdicts)}th on"):
                verdicts.append(one)
                if one.wrong:
                    print(f"{one.host}, {one.kind}: {one.wrong}", flush=True)
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
