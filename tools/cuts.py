"""Cut contact in mid-rebuild on one lab with many hosts, over real sockets: python tools/cuts.py --count 200.

Each host of a round is cut once, in one of five ways and under a command that the seed chooses. What the run claims is
held against the hosts' disks; what it leaves open is resumed and then held against them too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.lanes.cuts import NOTICED_S, Verdict, a_round, chosen  # noqa: E402 - the checkout's root comes first
from tests.lanes.field import HOSTS, a_field  # noqa: E402 - as above


def main() -> int:
    """0 when every claim was so and every silent drop was noticed in time, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many cuts")
    parser.add_argument("--jobs", type=int, default=2, help="how many labs of 20 hosts at once")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began, share = time.monotonic(), -(-options.count // options.jobs)
    with ThreadPoolExecutor(options.jobs) as pool:
        parts = pool.map(lambda lab: cut(share, options.seed * 100 + lab), range(options.jobs))
        verdicts = [one for part in parts for one in part]
    wrong = sum(bool(one.wrong) for one in verdicts)
    struck = [one for one in verdicts if one.struck]
    silences = sorted(one.silence_s for one in struck if one.cut.way == "silent")
    late = sum(silence > NOTICED_S for silence in silences)
    print(f"{len(struck)} cuts: {counted([one.cut.way for one in struck])}")
    print(
        f"said: {counted([one.said for one in struck])}; resumed: {counted([one.resumed for one in struck if one.resumed])}"
    )
    print(
        f"{wrong} false; {len(silences)} silent drops noticed after at most {silences[-1]:.1f} s, {late} over {NOTICED_S:.0f} s"
    )
    print(f"{time.monotonic() - began:.0f} s")
    return int(bool(wrong or late))


def cut(count: int, seed: int) -> list[Verdict]:
    """At least so many cuts on a lab of their own."""
    verdicts: list[Verdict] = []
    rounds = 0
    with a_field(min(HOSTS, count), seed=seed) as site:
        while sum(one.struck for one in verdicts) < count:
            verdicts += told(a_round(site, chosen(site.hosts, seed, rounds * len(site.hosts)), f"Round {rounds}"))
            rounds += 1
    return verdicts


def told(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts, with what was wrong shown as it comes."""
    found = []
    for one in verdicts:
        found.append(one)
        if one.wrong:
            print(f"{one.cut}: {one.wrong}", flush=True)
    return found


def counted(words: list[str]) -> str:
    """How often each word is there."""
    return ", ".join(f"{word} {count}" for word, count in sorted(Counter(words).items()))


if __name__ == "__main__":
    sys.exit(main())
