"""The process of a run at work for bench/tui_live.py: the engine's own lock, events and logs.

`python -m bench.live_writer FLEET HOSTS RATE` prints the run's id when it holds the run and an SSH session to each host
(through the engine's own adapter; bench/live_guests.py is the far side). The hosts print RATE lines a second in sum until
it gets SIGTERM; it ends every log with a last line, says what was printed as JSON, and holds the run until its stdin is
closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.ssh.guest import SshGuest
from pvenix.adapters.text import sanitise
from pvenix.engine.narrator import Narrator
from pvenix.engine.ports import GuestSession, Target
from pvenix.engine.runfiles import RunDir
from pvenix.model.events import Event, Progress, RunStarted, StepStarted
from pvenix.wiring import Workspace

PROGRESS_EVERY_S = 0.1
"""How often one of the hosts says what it is at, in an event."""
LONG_S = 86400.0
VERB = "rebuild"


async def heard(narrator: Narrator, far: Guests, stop: asyncio.Event) -> dict[str, int]:
    """Write what the commands of all hosts print; how many lines each of them says that it printed."""
    async with asyncio.TaskGroup() as group:
        for host, session in far.sessions.items():
            group.create_task(session.run([host], timeout_s=LONG_S, on_output=narrator.log(host).write))
        await stop.wait()
        lines: dict[str, int] = await far.stop()
    return lines


class Guests:
    """The far side, with a session to each of its hosts."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._asks = cast("asyncio.StreamWriter", process.stdin)
        self._says = cast("asyncio.StreamReader", process.stdout)
        self.sessions: dict[str, GuestSession] = {}

    async def log_in(self, guest: SshGuest, hosts: tuple[str, ...], key_file: Path) -> None:
        """Open a session to each host, one after the other."""
        told = await self._said()
        for host in hosts:
            target = Target(
                host=host, address="127.0.0.1", port=told["port"], user="operator", host_key=told["host_key"],
                key_file=str(key_file),
            )  # fmt: skip
            self.sessions[host] = await guest.session(target)

    async def stop(self) -> dict[str, int]:
        """Let the commands end; what each host printed."""
        self._asks.write(b"stop\n")
        return await self._said()

    async def _said(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(await self._says.readline())
        return document


@contextlib.asynccontextmanager
async def guests(hosts: tuple[str, ...], rate: int) -> AsyncIterator[Guests]:
    """The far side and a session to each of `hosts`, all gone with the block."""
    ssh = SshGuest()
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.live_guests", folder, str(rate), *hosts,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            far = Guests(process)
            await far.log_in(ssh, hosts, Path(folder) / "key")
            yield far
        finally:
            process.kill()
            await process.wait()
            await ssh.close()


async def work(narrator: Narrator, run: RunDir, hosts: tuple[str, ...], rate: int) -> dict[str, object]:
    """Print until SIGTERM; lines in sum, seconds and CPU seconds."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with guests(hosts, rate) as far:
        tell({"path": str(run.path), "hosts": hosts})
        began, before = time.monotonic(), cpu_seconds()
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(progress(narrator, hosts))
            lines = await heard(narrator, far, stop)
            telling.cancel()
        seconds, cpu = time.monotonic() - began, cpu_seconds() - before
    for host, count in lines.items():
        narrator.log(host).line(f"{count:07} {host} the last line")
    return {"lines": sum(lines.values()), "seconds": seconds, "cpu": cpu}


async def progress(narrator: Narrator, hosts: tuple[str, ...]) -> None:
    """A word of progress ten times a second, of one host after the other."""
    turn = 0
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        turn += 1
        text = f"building, {turn * PROGRESS_EVERY_S:.0f} s"
        narrator.emit(Progress, host=hosts[turn % len(hosts)], step=f"0.0.{VERB}", text=text)


def main() -> int:
    """Write until told to end."""
    fleet, count, rate = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    workspace = Workspace.open(fleet)
    hosts = tuple(workspace.fleet().hosts)[:count]
    run = workspace.runs.create(workspace.plan_verb(VERB, hosts))
    with run.locked(), Narrator(run, SystemClock(), _nobody, clean=sanitise) as narrator:
        _begin(run, narrator, hosts)
        tell(asyncio.run(work(narrator, run, hosts, rate)))
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


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def tell(document: object) -> None:
    """A line of JSON on stdout."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
