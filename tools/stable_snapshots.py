"""Draws every frame of tests/tui/test_snapshots.py again and again: a frame that is not the same each time is named.

Usage: python -m tools.stable_snapshots [--times 30]. Exits 1 when a frame differed, or was never drawn.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from typing import Final

FRAMES: Final = "tests/tui/test_snapshots.py"
_FAILED: Final = re.compile(r"^FAILED \S+\[(.+?)\]", re.MULTILINE)
_SUMMARY: Final = re.compile(r"(\d+) (?:passed|failed)")


def main() -> int:
    """0 when every frame was the same every time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=30, help="how often (30)")
    times = parser.parse_args().times
    failed: Counter[str] = Counter()
    drawn = 0
    for turn in range(1, times + 1):
        words = [sys.executable, "-m", "pytest", FRAMES, "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found = _FAILED.findall(done.stdout)
        failed.update(found)
        drawn = max(drawn, sum(map(int, _SUMMARY.findall(done.stdout))))
        sys.stdout.write(f"{turn}/{times}: {'stable' if done.returncode == 0 else f'{len(found)} differed'}\n")
        sys.stdout.flush()
        if done.returncode and not found:
            sys.stdout.write(done.stdout[-2000:] + done.stderr[-2000:])
            return 1
    for name, count in failed.most_common():
        sys.stdout.write(f"{name} differed {count} of {times} times\n")
    sys.stdout.write(f"{drawn} tests, {times} times: {'all stable' if drawn and not failed else 'NOT stable'}\n")
    return 0 if drawn and not failed else 1


if __name__ == "__main__":
    raise SystemExit(main())
