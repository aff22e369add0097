"""What the run screen costs while 200 hosts print 20,000 lines a second: typed through a terminal, read back from it.

Run: `python -m bench.tui_live [--seconds 300] [--size 160x48]`. The program is the true `pvenix-tui` on a fleet of 200
hosts; the run is a true run directory whose process (bench/live_writer.py) holds its lock and an SSH session to each host
(bench/live_guests.py prints there), and writes events and logs as the engine does. With the right to, everything runs
under SCHED_RR, so that other work on the machine counts less; the figures are for people and no test asserts them. Keys
move the cursor among the hosts; a key is answered when the title of the log names the host that it moved to. Loop lag is
measured inside, by `--debug-lag`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.inventory import write_fleet
from bench.terminal import ROOT, Program
from bench.tui_start import keep_to_this_machine

PAUSE_S = (0.06, 0.14)
"""The least and the most that lies between two keys."""
LOOKED_AT = 10
"""Hosts whose log is compared with what shows at the end."""
TARGETS = "targets: key p95 <= 50 ms, lag p99 <= 20 ms, CPU <= 45 %, RSS <= 160 MB and flat"


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was measured."""

    keys_ms: list[float] = field(default_factory=list)
    lag_ms: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of CPU that the program took."""
    tty: int = 0
    """Bytes that it wrote to the terminal."""


class Run:
    """The run and the process that is at work on it."""

    def __init__(self, fleet: Path, hosts: int, rate: int, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.live_writer", str(fleet), str(hosts), str(rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        told = self._said()
        self.path = Path(told["path"])
        self.hosts: list[str] = told["hosts"]

    def _said(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        document: dict[str, Any] = json.loads(line)
        return document

    def quiet(self) -> dict[str, Any]:
        """Let it print nothing more; what it wrote."""
        self._process.send_signal(signal.SIGTERM)
        return self._said()

    def end(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Prints the figures."""
    options = arguments()
    policy = real_time(wanted=not options.ordinary)
    size = tuple(int(part) for part in options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fleet, lag = home / "fleet", home / "lag"
        write_fleet(fleet, options.hosts, host_vars=False)
        keep_to_this_machine(fleet)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "xterm-256color"}
        words = [sys.executable, "-m", "pvenix_tui.entry", "--fleet", str(fleet), "--debug-lag", str(lag)]
        with ended(Run(fleet, options.hosts, options.rate, environment)) as run:
            with ended(Program(words, (size[0], size[1]), environment)) as program:
                figures = measured(program, run.hosts, lag, options.seconds)
                written = run.quiet()
                program.drain(2.0)
                wrong = compared(program, run)
            wrong += missing(run)
    report(options, policy, figures, written, wrong)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second of all hosts together")
    parser.add_argument("--size", default="160x48")
    parser.add_argument("--ordinary", action="store_true", help="do not ask for SCHED_RR")
    return parser.parse_args()


def real_time(*, wanted: bool) -> str:
    """The way this process and its children are scheduled from now on."""
    if wanted:
        with contextlib.suppress(PermissionError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return "SCHED_RR"
    return "ordinary priority"


@contextlib.contextmanager
def ended(thing: Any) -> Iterator[Any]:
    """`thing`, ended with the block."""
    try:
        yield thing
    finally:
        thing.end()


def measured(program: Program, hosts: Sequence[str], lag: Path, seconds: float) -> Figures:
    """Open the run, let its panes fill, then type for `seconds`."""
    program.until(b"host00000")
    program.press(b"2")
    program.until(b"Runs 1/1")
    program.press(b"\r")
    program.until(title(hosts[0]))
    program.drain(3.0)
    figures = Figures()
    skipped, began, cpu, tty = len(samples(lag)), time.monotonic(), cpu_seconds(program.pid), program.read_bytes
    pauses, row = random.Random(2), 0  # the same rhythm each time
    while time.monotonic() - began < seconds:
        program.drain(pauses.uniform(*PAUSE_S))
        down = row == 0 or (row < 3 * LOOKED_AT and pauses.random() < 0.5)
        row += 1 if down else -1
        figures.keys_ms.append(answered_ms(program, b"l" if down else b"h", title(hosts[row])))
        if len(figures.rss_mb) < time.monotonic() - began:
            figures.rss_mb.append(rss_mb(program.pid))
    figures.seconds, figures.cpu = time.monotonic() - began, cpu_seconds(program.pid) - cpu
    figures.tty = program.read_bytes - tty
    figures.lag_ms = samples(lag)[skipped:]
    for _ in range(row):
        program.press(b"h")
    return figures


def title(host: str) -> bytes:
    """How the title of a host's log begins."""
    return f"log {host} ".encode()


def answered_ms(program: Program, key: bytes, wanted: bytes) -> float:
    """Milliseconds from the key until the terminal was sent what shows that it did its work."""
    began = time.perf_counter()
    program.press(key)
    program.until(wanted)
    return (time.perf_counter() - began) * 1000


def samples(path: Path) -> list[float]:
    """Loop lag so far, milliseconds."""
    with contextlib.suppress(FileNotFoundError):
        return [float(line) for line in path.read_text().split("\n")[:-1]]
    return []


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


def compared(program: Program, run: Run) -> list[str]:
    """What is wrong with the logs on the screen, host after host: their newest lines are those of the files."""
    wrong = []
    for host in run.hosts[:LOOKED_AT]:
        if host != run.hosts[0]:
            program.press(b"l")
            program.drain(0.3)
        display = program.repainted()
        below = next((index for index, line in enumerate(display) if f"log {host} " in line), len(display))
        shown = [line.strip("\u2502| ")[:60] for line in display[below + 1 :] if host in line]
        lines = (run.path / "log" / f"{host}.log").read_text().split("\n")[:-1]
        expected = [line.strip()[:60] for line in lines[-len(shown) :]]
        if not shown or shown != expected:
            wrong.append(f"{host} shows {shown[-1:]} of {len(shown)} lines, its file ends with {expected[-1:]}")
    return wrong


def missing(run: Run) -> list[str]:
    """Logs whose numbered lines are not all there, each once and whole."""
    wrong = []
    for path in sorted((run.path / "log").glob("*.log")):
        numbers = [line[:7] for line in path.read_text().split("\n")[:-1] if not line.startswith("---")]
        if numbers != [f"{number:07}" for number in range(len(numbers))]:
            wrong.append(f"{path.name} misses lines")
    return wrong


def report(
    options: argparse.Namespace, policy: str, figures: Figures, written: dict[str, Any], wrong: list[str]
) -> None:
    """Print everything."""
    rate = written["lines"] / written["seconds"]
    print(f"{options.hosts} hosts, {rate:.0f} lines/s, {options.size}, {figures.seconds:.0f} s, {policy}; {TARGETS}")
    print(f"key to paint  {spread(figures.keys_ms)}  ({len(figures.keys_ms)} keys)")
    print(f"loop lag      {spread(figures.lag_ms)}")
    rss = figures.rss_mb
    third = max(1, len(rss) // 3)
    print(
        f"app           {figures.cpu / figures.seconds:.1%} of a core, {figures.tty / figures.seconds / 1000:.0f} kB/s"
    )
    print(
        f"              RSS {rss[0]:.0f} MB at the start, {rss[third]:.0f} after a third, {rss[-1]:.0f} at the end, "
        f"{max(rss):.0f} at most"
    )
    print(f"run's process {written['cpu'] / written['seconds']:.1%} of a core")
    print(f"wrong lines   {len(wrong)}" + "".join(f"\n  {each}" for each in wrong[:5]))


def spread(values: Sequence[float]) -> str:
    """Percentiles of milliseconds."""
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49]:5.1f}  p95 {cuts[94]:5.1f}  p99 {cuts[98]:5.1f}  max {max(values):5.1f} ms"


if __name__ == "__main__":
    main()
