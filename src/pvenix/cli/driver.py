"""Executes a run in this process: shows its events, passes the person's answers on, and lets go when told twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.cli.prompts import can_ask, secret
from pvenix.cli.render.base import Renderer
from pvenix.cli.render.choose import make_renderer
from pvenix.cli.settings import Settings, talk
from pvenix.engine.stepwords import headings, planned_steps
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.events import Event, HostEnded, StepEnded, StepWaiting

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.model.plan import RunPlan
    from pvenix.model.secret import Secret
    from pvenix.wiring import Workspace

_BEAT_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def execute(
    settings: Settings, workspace: Workspace, run: RunDir, *, resume: bool = False, only: Collection[str] = ()
) -> int:
    """The exit code of the run, executed here; 130 when it was left before its end. `only` is as the runner's.

    Raises: what the run raises before its first event, such as LockHeld.
    """
    plan = run.plan()
    refuse_unasked(settings, plan)
    renderer = make_renderer(settings, diff=plan.diff)
    driver = Driver(workspace, run, renderer, tails=settings.verbose > 1, ask=plan.step)
    return await driver.drive(resume=resume, only=only)


def refuse_unasked(settings: Settings, plan: RunPlan) -> None:
    """Refuse a run that would ask where nobody can answer.

    Raises: UsageError.
    """
    if plan.step and not can_ask(settings):
        raise UsageError("--step asks before each step, and there is no terminal to ask on", hint="leave out --step")


class Driver:
    """One run while it is executed."""

    def __init__(self, workspace: Workspace, run: RunDir, renderer: Renderer, *, tails: bool, ask: bool) -> None:
        self._workspace = workspace
        self._run = run
        self._renderer = renderer
        self._tails = Tails(run) if tails else None
        self._asker = StepAsker(run, renderer) if ask else None
        self._interrupts = 0
        self._error: Exception | None = None

    async def drive(self, *, resume: bool, only: Collection[str] = ()) -> int:
        """The exit code; asks the run to stop at the first interrupt and leaves it at the second."""
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(resume=resume, only=only))
            beat = group.create_task(self._beat())
            with self._on_signals(work):
                await asyncio.wait({work})
            beat.cancel()
        if self._asker:
            self._asker.close()
        if self._error:
            raise self._error
        code = ExitCode.INTERRUPTED if work.cancelled() else work.result()
        self._show_output()
        self._renderer.finish(code)
        if work.cancelled():
            self._say_left()
        return code

    async def _work(self, *, resume: bool, only: Collection[str]) -> int:
        if self._workspace.ask:
            self._workspace.ask = self._secret
        try:
            return await self._workspace.execute(self._run, on_event=self._on_event, resume=resume, only=only)
        except Exception as error:  # noqa: BLE001 - raised again outside of the group, which would wrap it
            self._error = error
            return ExitCode.FAILED

    def _on_event(self, event: Event) -> None:
        with self._asker.aside(event) if self._asker else nullcontext(), self._shown():
            self._renderer.event(event)
        if self._asker and isinstance(event, StepWaiting):
            self._asker.waiting(event)

    async def _secret(self, question: str) -> Secret:
        """Ask for a secret in the middle of the run; whoever needs the login waits for it, the screen too."""
        self._renderer.pause()
        if self._asker:
            self._asker.close()
        try:
            return await secret(question)
        finally:
            if self._asker:
                self._asker.listen()
            self._renderer.go_on()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            with self._shown():
                self._show_output()
                self._renderer.tick()

    def _show_output(self) -> None:
        if self._tails:
            for host, line in self._tails.new_lines():
                self._renderer.output(host, line)

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Nobody reads stdout any more, as after `| head`: what runs ends like after an interrupt, and nothing is cut."""
        try:
            yield
        except BrokenPipeError as error:
            if self._error is None:
                self._error = error
                self._run.request("cancel")
                talk(f"nobody reads the output: no further step starts; pvenix resume {self._run.run} goes on")

    @contextmanager
    def _on_signals(self, work: asyncio.Task[int]) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        loop.add_signal_handler(signal.SIGHUP, self._alone)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted, work)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _interrupted(self, work: asyncio.Task[int]) -> None:
        self._interrupts += 1
        self._renderer.pause()
        if self._interrupts == 1:
            self._run.request("cancel")
            count = len(self._renderer.view.active)
            talk(f"stopping: no further step starts, {count} running end first; ctrl-c again leaves them")
            self._renderer.go_on()
        else:
            work.cancel()

    def _alone(self) -> None:
        """The terminal was closed, which tells twice: what runs ends first, and what it says goes nowhere."""
        with Path(os.devnull).open("r+b") as nowhere:
            for descriptor in range(3):
                os.dup2(nowhere.fileno(), descriptor)
        if self._asker:
            self._asker.close()
        self._run.request("cancel")

    def _say_left(self) -> None:
        left = self._workspace.leftovers(self._run)
        talk("left before its end; at the far side may still go on:" if left else "left before its end")
        for each in left:
            talk(f"  {each.host} {each.step}: {', '.join(each.things) or 'what it does first'}")
        talk(f"\nhint: pvenix resume {self._run.run} looks at it and goes on")


class Tails:
    """What the hosts of a run printed since the last look."""

    def __init__(self, run: RunDir) -> None:
        self._hosts = run.plan().hosts
        self._run = run
        self._offsets: dict[str, int] = {}
        self._words = {host: headings(steps) for host, steps in planned_steps(run.plan()).items()}

    def new_lines(self) -> Iterator[tuple[str, str]]:
        """Whole new lines as (host, line)."""
        for host in self._hosts:
            offset = self._offsets.get(host, 0)
            data = _read_from(self._run.log_path(host), offset)
            whole = data[: data.rfind(b"\n") + 1]
            self._offsets[host] = offset + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                yield host, self._words[host].get(line, line)


class StepAsker:
    """Asks before each step: yes, all, or no."""

    def __init__(self, run: RunDir, renderer: Renderer) -> None:
        self._run = run
        self._renderer = renderer
        self._queue: list[StepWaiting] = []
        self._all = False
        self._reading = False

    @contextmanager
    def aside(self, event: Event) -> Iterator[None]:
        """Show something while a question may be on the screen: below it, and the question again below that."""
        interrupts = bool(self._queue) and isinstance(event, StepEnded | HostEnded)
        if interrupts:
            sys.stderr.write("\n")
        yield
        if interrupts:
            self._ask()

    def waiting(self, event: StepWaiting) -> None:
        """A step waits for a word; a `continue` lets every step go on that waits at that moment."""
        if event.reason != GATE:
            return
        if self._all:
            self._run.request("continue")
            return
        if self._queue:
            sys.stderr.write("\n")
        self._queue.append(event)
        self.listen()

    def listen(self) -> None:
        """Ask what is to be asked, if anything, and hear the answer."""
        if not self._queue:
            return
        if not self._reading:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._answered)
            self._reading = True
        self._ask()

    def close(self) -> None:
        """Stop listening."""
        if self._reading:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._reading = False

    def _ask(self) -> None:
        self._renderer.pause()
        steps = ", ".join(f"{event.host} {event.verb}" for event in self._queue)
        sys.stderr.write(f"next: {steps}; go on? [y]es, [c]ontinue to the end, [n]o ")
        sys.stderr.flush()

    def _answered(self) -> None:
        for line in os.read(sys.stdin.fileno(), 1024).decode(errors="replace").splitlines():
            if self._queue:  # what is typed ahead answers no question that was not on the screen yet
                self._take(line.strip().lower()[:1])

    def _take(self, answer: str) -> None:
        if answer not in ("y", "c", "n"):
            self._ask()
            return
        self._all = answer == "c"
        self._queue.clear()
        self._renderer.go_on()
        self._run.request("cancel" if answer == "n" else "continue")


GATE = "waiting to go on"
"""The reason that the runner gives for a step that waits for a person under --step."""


def _read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(1 << 20)
    except FileNotFoundError:
        return b""
