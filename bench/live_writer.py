"""The process of a run at work for bench/tui_live.py: the engine's own lock, events and logs, with output made up here.

`python -m bench.live_writer FLEET HOSTS RATE` prints the run's id when it holds the run; it writes RATE lines a second in
total over all hosts until it gets SIGTERM, ends every host with a last line, says what it wrote as JSON, and holds the
run until its stdin is closed.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import time
from pathlib import Path

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.text import sanitise
from pvenix.engine.narrator import Narrator
from pvenix.engine.runfiles import RunDir
from pvenix.model.events import Event, Progress, RunStarted, StepStarted
from pvenix.wiring import Workspace

CHUNK = 10
"""Lines that a host prints at a time."""
BEAT_S = 0.005
PROGRESS_EVERY_S = 0.1
"""How often one of the hosts says what it is at, in an event."""
VERB = "rebuild"


class Output:
    """What the hosts print: numbered lines, so that a missing or a broken one shows."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self.lines = dict.fromkeys(hosts, 0)
        self._words = random.Random(1)  # the same words each time

    def chunk(self, host: str) -> str:
        """The next lines of a host."""
        first = self.lines[host]
        self.lines[host] = first + CHUNK
        return "".join(f"{number:07} {host} {self._said()}\n" for number in range(first, first + CHUNK))

    def _said(self) -> str:
        digest = self._words.getrandbits(128)
        return f"copying path '/nix/store/{digest:032x}-glibc-2.40' from 'https://cache'"


def main() -> int:
    """Write until told to end."""
    fleet, count, rate = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    workspace = Workspace.open(fleet)
    hosts = tuple(workspace.fleet().hosts)[:count]
    run = workspace.runs.create(workspace.plan_verb(VERB, hosts))
    with run.locked(), Narrator(run, SystemClock(), _nobody, clean=sanitise) as narrator:
        _begin(run, narrator, hosts)
        tell({"path": str(run.path), "hosts": hosts})
        output = Output(hosts)
        seconds = write(narrator, output, rate)
        for host in hosts:
            narrator.log(host).line(f"{output.lines[host]:07} {host} the last line")
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lines = sum(output.lines.values())
        tell({"lines": lines, "seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime})
        sys.stdin.read()
    return 0


def _nobody(_: Event) -> None:
    """This process shows nothing itself."""


def _begin(run: RunDir, narrator: Narrator, hosts: tuple[str, ...]) -> None:
    title = run.plan().title
    narrator.emit(RunStarted, title=title, hosts=hosts, steps=(f"0.0.{VERB}",), pid=0)
    for host in hosts:
        step = f"0.0.{VERB}"
        at = narrator.log(host).begin(step)
        narrator.emit(StepStarted, host=host, step=step, verb=VERB, name=VERB, log_at=at)


def write(narrator: Narrator, output: Output, rate: int) -> float:
    """Chunks for one host after the other at `rate` lines a second, and a word of progress ten times a second; seconds."""
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    hosts, began, written, told = tuple(output.lines), time.monotonic(), 0, 0.0
    while not stop:
        past = time.monotonic() - began
        while written < past * rate:
            host = hosts[written // CHUNK % len(hosts)]
            narrator.log(host).write(output.chunk(host))
            written += CHUNK
        if past - told >= PROGRESS_EVERY_S:
            told = past
            host = hosts[int(past / PROGRESS_EVERY_S) % len(hosts)]
            narrator.emit(Progress, host=host, step=f"0.0.{VERB}", text=f"building, {past:.0f} s")
        time.sleep(BEAT_S)
    return time.monotonic() - began


def tell(document: object) -> None:
    """A line of JSON on stdout."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
