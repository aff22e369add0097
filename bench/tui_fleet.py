"""What keys cost on a fleet of 1,000 hosts: milliseconds from a key to the last byte that it makes the screen write.

Run as `make bench`, or `python -m bench.tui_fleet [HOSTS]`, on an idle machine; the figures are for people and no test
asserts them. It is the real program on a terminal of 120x36, opened a second time, so that it shows what the first time
left. No site answers. What a key must show is known beforehand, and a key counts as painted when that came and the
terminal then stayed silent for some milliseconds.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections import defaultdict
from pathlib import Path

from bench.inventory import ROLES, write_fleet
from bench.tui_start import ROOT, end, keep_to_this_machine
from pvenix.fleet.load import load_fleet
from pvenix_tui.glyphs import DOWN, UP
from pvenix_tui.models.fleet import FleetModel

HOSTS = 1000
ROUNDS = 12
SIZE = (36, 120)
PATIENCE_S = 60.0
SILENT_S = 0.012
TYPED = "97"


class Screen:
    """The program on its terminal."""

    def __init__(self, fleet: Path, home: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        environment = {"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color"}
        self.started = time.perf_counter()
        words = [sys.executable, "-m", "pvenix_tui.entry", "--fleet", str(fleet)]
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT, start_new_session=True
        )
        os.close(slave)

    def until(self, wanted: str, since: float) -> float:
        """Milliseconds from `since` to the last byte of what came with `wanted`. Raises: RuntimeError, it did not come."""
        data = b""
        last = since
        while True:
            patience = SILENT_S if wanted.encode() in data else max(0.0, since + PATIENCE_S - time.perf_counter())
            if not select.select([self.master], [], [], patience)[0]:
                if wanted.encode() in data:
                    return (last - since) * 1000
                raise RuntimeError(f"{wanted!r} did not come; the end of what did: {data[-600:]!r}")
            data += os.read(self.master, 65536)
            last = time.perf_counter()

    def press(self, key: str, wanted: str) -> float:
        """Milliseconds from a key to its last byte."""
        started = time.perf_counter()
        os.write(self.master, key.encode())
        return self.until(wanted, started)

    def rest(self, seconds: float) -> None:
        """Read what comes on its own, until nothing came for so long."""
        while select.select([self.master], [], [], seconds)[0]:
            os.read(self.master, 65536)


def main() -> None:
    """Prints a line for each thing that a person does."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else HOSTS
    took: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        fleet = Path(home) / "fleet"
        write_many(fleet, count)
        keep_to_this_machine(fleet)
        first = Screen(fleet, home)
        try:
            first.until("host00016", first.started)
            first.rest(2.0)
        finally:
            end(first.process, first.master)
        counts = expected(fleet)
        screen = Screen(fleet, home)
        try:
            took["start: exec to table"].append(screen.until("host00016", screen.started))
            screen.rest(2.0)
            for _ in range(ROUNDS):
                measure(screen, counts, took)
        finally:
            end(screen.process, screen.master)
    for name, values in took.items():
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
        print(f"{count} hosts, {name:34} {statistics.median(values):6.0f} ms median {p95:6.0f} ms p95  n={len(values)}")


def write_many(root: Path, count: int) -> None:
    """As `write_fleet`, with each host's machine in a file of its own: hosts.yaml may have 1 MiB."""
    write_fleet(root, len(ROLES), host_vars=False)
    lines = ["all:", "  children:"]
    for number, role in enumerate(ROLES):
        lines += [f"    group{number}:", "      hosts:"]
        for index in range(number, count, len(ROLES)):
            lines.append(f"        host{index:05}:")
            address = f"10.2.{1 + index // 250}.{1 + index % 250}/16"
            text = f"machine:\n  roles: [base, {role}]\n  network: {{zone: srvWork, address: {address}}}\n"
            (root / "inventory" / "host_vars" / f"host{index:05}.yaml").write_text(text, encoding="utf-8")
    (root / "inventory" / "hosts.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def expected(fleet: Path) -> list[str]:
    """What stands below the filter after each key of `TYPED`, from none of them on."""
    found = load_fleet(fleet)
    model = FleetModel()
    model.load(found.hosts.values(), found.groups, found.select)
    shown = []
    for length in range(len(TYPED) + 1):
        model.set_filter(TYPED[:length])
        shown.append(f" {len(model.visible)} of {len(model.hosts)} hosts")
    return shown


def measure(screen: Screen, counts: list[str], took: dict[str, list[float]]) -> None:
    """One of each: filter key by key and back, sort both ways, move, leave and open again."""
    screen.press("/", counts[0])
    for index, key in enumerate(TYPED):
        took["filter, a key"].append(screen.press(key, counts[index + 1]))
    for index in reversed(range(len(TYPED))):
        took["filter, a key taken back"].append(screen.press("\x7f", counts[index]))
    screen.press("\r", "Hosts")
    screen.press("O", "ORDER")
    name = "name" if not took["sort"] else ""
    if name:
        screen.press("j", "web2")
    arrow = UP if len(took["sort"]) % 2 else DOWN
    took["sort"].append(screen.press("\r", f"name {arrow}"))
    took["one row down"].append(screen.press("j", "host"))
    took["to the end"].append(screen.press("G", "host"))
    screen.press("g", "host")
    screen.press("2", "[2 Runs]")
    took["open"].append(screen.press("1", "[1 Fleet]"))
    screen.rest(0.1)


if __name__ == "__main__":
    main()
