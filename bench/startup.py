"""Start-up cost of the cheap commands: CPU milliseconds, best of N, and how many times a bare `python -c pass` that is.

Run as `make bench`, on an idle machine; the figures are for people and no test asserts them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RUNS = 15
PVENIX = str(Path(sys.executable).parent / "pvenix")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "pvenix --version": [PVENIX, "--version"],
    "pvenix --help": [PVENIX, "--help"],
    "pvenix validate --help": [PVENIX, "validate", "--help"],
}


def main() -> None:
    """Prints one line for each command."""
    costs = {name: min(cpu_ms(command) for _ in range(RUNS)) for name, command in COMMANDS.items()}
    bare = costs["python -c pass"]
    for name, cost in costs.items():
        print(f"{name:24} {cost:7.1f} ms CPU  {cost / bare:5.2f} x bare Python")


def cpu_ms(command: list[str]) -> float:
    """User and system time of one run of COMMAND, in milliseconds. Raises: RuntimeError when it does not exit 0."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


if __name__ == "__main__":
    main()
