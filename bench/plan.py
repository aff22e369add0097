"""What a plan of a large fleet costs: reads of the API as the far side counts them, seconds, CPU seconds.

Run as `python -m bench.plan [HOSTS...]` (200), on an idle machine; the figures are for people. How many reads a plan may
make is asserted in tests/story/test_plan.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from bench.lab_scale import PVENIX, Lab, lab


def main() -> None:
    """Prints a line for each number of hosts."""
    for hosts in [int(word) for word in sys.argv[1:]] or [200]:
        with lab(hosts) as running:
            command(running, "lab", "reset-counters", str(running.folder))
            began, cpu = time.perf_counter(), children()
            plan = command(running, "plan", "-o", "json", "web-*")
            seconds, cpu = time.perf_counter() - began, children() - cpu
            counters = command(running, "lab", "status", str(running.folder), "-o", "json")["counters"]
            print(
                f"{len(plan['hosts'])} hosts planned: {counters['pve_reads']} reads, {counters['pve_writes']} writes,"
                f" {seconds:.2f} s, {cpu:.2f} s CPU"
            )


def command(running: Lab, *words: str) -> Any:
    """The document that a command prints, None when it prints none. Raises: RuntimeError when it fails."""
    done = subprocess.run(
        [PVENIX, *words], cwd=running.fleet, env=dict(running.environment), capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 3):
        raise RuntimeError(f"pvenix {' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout) if done.stdout.startswith("{") else None


def children() -> float:
    """CPU seconds of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
