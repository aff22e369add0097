"""What starting the TUI costs: milliseconds from exec to text on a terminal of 80x24, best and median of N rounds.

Run as `make bench`, or `python -m bench.tui_start [ROUNDS]`, on an idle machine; the figures are for people and no test
asserts them. Every round measures everything, so that a busy moment hits all alike: a bare Python, a Textual
application that shows one line, and pvenix-tui on fleets of 6 and 200 hosts until its first frame stands and until its
table shows the hosts: the first time ever, and on what an earlier session left (names, and a reading of every host).
No site answers: what is read of it comes later anyway.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.inventory import write_fleet
from pvenix.engine.readings import Readings
from pvenix.fleet.listing import read_listing
from pvenix.model.generation import HostFacts, Sync
from pvenix.model.status import HostStatus
from pvenix.wiring.remembered import READINGS

ROUNDS = 9
PATIENCE_S = 30.0
ROOT = Path(__file__).parent.parent
MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("it stands")
Minimal().run()
"""


def main() -> None:
    """Prints one line for each thing that was waited for."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    took: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        small, large = home / "small", home / "large"
        shutil.copytree(ROOT / "inventory", small / "inventory")
        write_fleet(large, 200, host_vars=True)
        for fleet in (small, large):
            keep_to_this_machine(fleet)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "xterm-256color"}
        for _ in range(rounds):
            took["python -c pass"].append(bare_ms())
            [stands] = shown_ms([sys.executable, "-c", MINIMAL], [b"it stands"], environment)
            took["minimal Textual app"].append(stands)
            for name, fleet, host in (("6 hosts", small, b"docker01"), ("200 hosts", large, b"host00016")):
                words = [sys.executable, "-m", "pvenix_tui.entry", "--fleet", str(fleet)]
                shutil.rmtree(home / ".cache", ignore_errors=True)
                [table] = shown_ms(words, [host], environment)
                took[f"pvenix-tui, {name}, the first time: table"].append(table)
                leave_readings(fleet, home)
                frame, table = shown_ms(words, [b"1 Fleet", host], environment)
                took[f"pvenix-tui, {name}: first frame"].append(frame)
                took[f"pvenix-tui, {name}: table"].append(table)
    minimal = min(took["minimal Textual app"])
    for name, values in took.items():
        best, median = min(values), statistics.median(values)
        print(f"{name:44} {best:6.0f} ms best {median:6.0f} ms median  {best / minimal:5.2f} x minimal Textual app")


def leave_readings(fleet: Path, home: Path) -> None:
    """What a session leaves in which every host answered."""
    os.environ["HOME"] = str(home)
    listing = read_listing(fleet)
    if listing is None:
        raise RuntimeError("the first session kept no names")
    readings = Readings(listing.state / READINGS)
    for number, host in enumerate(listing.hosts):
        path = f"/nix/store/{number:032}-nixos-system-{host}-25.05"
        facts = HostFacts(booted=path, current=path, profile=path, revision="0" * 40, boot_id="b", checkout="0" * 40)
        readings.put(
            HostStatus(
                host=host, sync=Sync.IN_SYNC, seen_at="2026-01-01T00:00:00.000Z", vmid=200 + number, node="tappaas1",
                power="running", generation=1, facts=facts,
            )
        )  # fmt: skip
    readings.save()


def keep_to_this_machine(fleet: Path) -> None:
    """Point the site's API at a port of this machine that nobody listens on, so that nothing leaves it."""
    path = fleet / "inventory" / "site.yaml"
    text = path.read_text(encoding="utf-8")
    for node in ("tappaas1", "tappaas2"):
        text = text.replace(f"https://{node}.mgmt.internal:8006", "https://127.0.0.1:9")
    path.write_text(text.replace("      - https://127.0.0.1:9\n", "", 1), encoding="utf-8")


def bare_ms() -> float:
    """Milliseconds from exec to exit of a Python that does nothing."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - started) * 1000


def shown_ms(words: Sequence[str], wanted: Sequence[bytes], environment: Mapping[str, str]) -> list[float]:
    """Milliseconds from exec until each of `wanted`, in this order, was written to the terminal.

    Raises: RuntimeError when one of them did not come.
    """
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    started = time.perf_counter()
    process = subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, env=dict(environment), cwd=ROOT, start_new_session=True
    )
    os.close(slave)
    took: list[float] = []
    data = b""
    try:
        for text in wanted:
            while text not in data:
                if not select.select([master], [], [], PATIENCE_S)[0]:
                    raise RuntimeError(f"{text!r} did not come; the end of what did: {data[-500:]!r}")
                data += os.read(master, 65536)
            took.append((time.perf_counter() - started) * 1000)
    finally:
        end(process, master)
    return took


def end(process: subprocess.Popen[bytes], master: int) -> None:
    """End the program, reading what it still writes."""
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # the terminal's other end is closed: it has ended
            if select.select([master], [], [], 0.01)[0]:
                os.read(master, 65536)
    if process.poll() is None:
        process.kill()
    process.wait()
    os.close(master)


if __name__ == "__main__":
    main()
