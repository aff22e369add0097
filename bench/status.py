"""What one look at a large fleet costs: seconds, CPU seconds, and the far side's reads and commands.

Run as `python -m bench.status [HOSTS...]` (200), on an idle machine; the figures are for people. The lab shares the
machine's processors, and its first SSH connection to a guest costs it a start, so a first look is not measured. How many
reads and commands a host may cost is asserted in tests/story/test_status.py.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from bench.lab_scale import Lab, lab, pvenix
from bench.plan import children, command

LOOKS = (("table", ()), ("-o json", ("-o", "json")), ("--hardware", ("--hardware",)))


def main() -> None:
    """Prints a line for each number of hosts and each way to look."""
    for hosts in [int(word) for word in sys.argv[1:]] or [200]:
        with lab(hosts) as running:
            pvenix(running, "status")
            for name, words in LOOKS:
                print(f"{hosts} hosts, {name}: {look(running, *words)}", flush=True)


def look(running: Lab, *words: str) -> str:
    """The figures of one `pvenix status`."""
    command(running, "lab", "reset-counters", str(running.folder))
    began, cpu, far = time.perf_counter(), children(), busy(running.pid)
    pvenix(running, "status", *words)
    seconds, cpu, far = time.perf_counter() - began, children() - cpu, busy(running.pid) - far
    counted = command(running, "lab", "status", str(running.folder), "-o", "json")["counters"]
    return (
        f"{seconds:.2f} s, {cpu:.2f} s CPU here and {far:.2f} s in the lab,"
        f" {counted['pve_reads']} reads of Proxmox, {counted['guest_commands']} commands"
    )


def busy(pid: int) -> float:
    """CPU seconds of a running process. Raises: FileNotFoundError where there is no procfs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
