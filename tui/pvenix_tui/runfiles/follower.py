"""Reads the files of a run as they grow: events into the model, output into rings. Holds no engine and no widget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pvenix.engine.runfiles import RunDir
from pvenix.engine.stepwords import headings
from pvenix.model.errors import PvenixError
from pvenix.model.events import Event
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import RunModel
from pvenix_tui.runfiles.logfile import LogTail

RING_TOTAL: Final = 48 * 1024 * 1024
"""Bytes for all rings of one run together."""
RING_MOST: Final = 2 * 1024 * 1024
RING_LEAST: Final = 64 * 1024
ROUND: Final = 4
"""Ticks in which the logs of all hosts have their turn; the focused host is read at every tick.

Measured with 200 hosts: to see that a log has not grown takes 2 us, to read 25 lines that came 28 us.
"""

READ_TICK: Final = 1024 * 1024
"""Bytes of logs in one tick, about 10 ms of work: a run that is opened late has much to catch up with."""

ALIVE_TICKS: Final = 10
"""Ticks between two looks whether the run's process is there."""

START_TICKS: Final = 200
"""Ticks, ten seconds of them, in which a process that was started has to be seen."""

WORDS_TICKS: Final = 20
"""Ticks, one second of them, after which a process that printed something and is not at work is believed to be gone."""


class RunFollower:
    """A run as its files tell it; `poll` is called by the ticker while the run's screen shows."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.model = RunModel(run.plan())
        self.alive = run.alive()
        budget = max(RING_LEAST, min(RING_MOST, RING_TOTAL // max(1, len(self.model.hosts))))
        self._budget = budget
        self._tails: dict[str, LogTail] = {}
        self._offset = 0
        self._tick = 0
        self._next = 0
        """Whose turn it is."""
        self._focus = ""
        """The host that was looked at last: nothing of its log is passed over."""
        self._patience = 0
        self.told = False
        """The last look found an event, or the process come or gone."""

    @property
    def state(self) -> str:
        """`starting`, `running`, `ended`, `interrupted` or `abandoned`."""
        if self.alive:
            return "running"
        if self._patience:
            return "starting"
        if self.run.is_abandoned():
            return "abandoned"
        return "ended" if self.model.ended_at else "interrupted"

    def expect(self) -> None:
        """A process was started for the run: until it is seen, or START_TICKS have passed, the run is `starting`."""
        self._patience = START_TICKS

    def ring(self, host: str) -> LineRing:
        """The output of a host; empty when the run does not know the host."""
        return self.tail(host).ring

    def step_lines(self, host: str) -> Sequence[int]:
        """The lines of a host's log at which its steps begin, by what the events say: a host can print such a line too."""
        run = self.model.hosts.get(host)
        tail = self.tail(host)
        return tuple(dict.fromkeys(tail.number_at(offset) for offset in run.log_at)) if run else ()

    def take(self, events: Sequence[Event], offset: int) -> None:
        """Take in events that were read elsewhere, up to the byte `offset` of their file."""
        self.model.apply(events)
        self._offset = offset

    def hurry(self) -> None:
        """Let the next `poll` look whether the run's process is there."""
        self._tick = 0

    def poll(self, focus: str) -> bool:
        """Read what is new; True when anything that shows may have changed."""
        changed = self._poll_events()
        if self._patience or self._tick % ALIVE_TICKS == 0:
            before, self.alive = self.state, self.run.alive()
            self._wait_for_start(seen=self.alive or changed)
            changed = changed or before != self.state
        self.told = changed
        self._focus = focus or self._focus
        if self._focus:
            changed = self.tail(self._focus).poll() or changed
        self._tick += 1
        return self._poll_others() or changed

    def _poll_others(self) -> bool:
        """Read the logs whose turn it is, as far as one tick has time for them; the others come first at the next."""
        hosts, changed, read = tuple(self.model.hosts), False, 0
        for _ in range(-(-len(hosts) // ROUND)):
            host = hosts[self._next % len(hosts)]
            self._next += 1
            if host != self._focus:
                tail = self.tail(host)
                changed = tail.poll(whole=False) or changed
                read += tail.taken
            if read >= READ_TICK:
                break
        return changed

    def _wait_for_start(self, *, seen: bool) -> None:
        if not self._patience:
            return
        words = self._last_words() if self._patience <= START_TICKS - WORDS_TICKS else ""
        self._patience = 0 if seen or words else self._patience - 1
        if not seen and not self._patience:
            self.model.problem = words or "its process did not start"

    def _last_words(self) -> str:
        """What the run's process printed last outside the run's files: why it gave up."""
        try:
            lines = (self.run.path / "process.log").read_text(errors="replace").split("\n")
        except OSError:
            return ""
        last = lines[-6:]
        errors = [number for number, line in enumerate(last) if line.startswith("error")]
        newest = last[errors[-1] :] if errors else last  # the file has the words of earlier attempts too
        return " ".join(line.strip() for line in newest if line.strip())

    def _poll_events(self) -> bool:
        try:
            events, self._offset = self.run.events(self._offset)
        except (PvenixError, ValueError, KeyError, TypeError) as error:
            self.model.problem = f"the run's events cannot be read: {error}"
            return True
        self.model.apply(events)
        return bool(events)

    def tail(self, host: str) -> LogTail:
        """The log of a host."""
        tail = self._tails.get(host)
        if tail is None:
            tail = self._tails[host] = self._tail_of(host)
        return tail

    def _tail_of(self, host: str) -> LogTail:
        run = self.model.hosts.get(host)
        return LogTail(self.run.log_path(host), LineRing(self._budget), headings(run.planned if run else ()))
