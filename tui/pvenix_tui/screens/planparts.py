"""What a plan's screen reads while it shows: what goes with the plan, how long it takes, and the commands of a dry run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pvenix.engine.runfiles import RunDir
from pvenix_tui.intents.base import Intent, Reading
from pvenix_tui.models.lines import EMPTY, Line, Tone
from pvenix_tui.models.plan import PlanView, Tier, field_line
from pvenix_tui.models.rehearsal import Rehearsal
from pvenix_tui.session import Session


class PlanReadings:
    """The readings of a plan, each by itself: one that fails says so and keeps no other."""

    def __init__(self, session: Session, readings: Callable[[], Sequence[Reading]]) -> None:
        self._session = session
        self._readings = readings
        self._found: dict[str, tuple[Line, ...]] = {}
        self._failed: dict[str, str] = {}

    async def read(self, changed: Callable[[Reading], None]) -> None:
        """Read all of them, calling back after each."""
        self._found, self._failed = {}, {}
        async with asyncio.TaskGroup() as group:
            for reading in self._readings():
                group.create_task(self._one(reading, changed))

    async def _one(self, reading: Reading, changed: Callable[[Reading], None]) -> None:
        source = f"plan: {reading.name}"

        async def work() -> None:
            self._found[reading.name] = tuple(await reading.read())

        if not await self._session.guarded(source, work):
            self._failed[reading.name] = self._session.problems.pop(source)
        changed(reading)

    @property
    def missing(self) -> str:
        """What the plan still waits for, empty when it has all that it needs."""
        for reading in self._readings():
            if reading.needed and reading.name in self._failed:
                return "what goes with it is not known; ctrl+r reads it again"
            if reading.needed and reading.name not in self._found:
                return reading.waits()
        return ""

    @property
    def blocked(self) -> str:
        """Why the plan cannot be started by what was read, empty when it can."""
        return next((words for reading in self._readings() if (words := reading.blocks())), "")

    @property
    def decide(self) -> bool:
        """True when the plan has to be read to its end, whatever its tier."""
        return any(reading.needed for reading in self._readings())

    def head(self) -> list[Line]:
        """The short ones, for the plan's first lines."""
        return [line for reading in self._readings() if not reading.needed for line in self._lines(reading)]

    def lines(self) -> list[Line]:
        """Those that the plan waits for, each after an empty line."""
        found: list[Line] = []
        for reading in self._readings():
            if reading.needed and (lines := self._lines(reading)):
                found += [EMPTY, *lines]
        return found

    def _lines(self, reading: Reading) -> Sequence[Line]:
        if reading.name in self._failed:
            tone = Tone.BAD if reading.needed else Tone.WARN
            return [field_line(reading.name, self._failed[reading.name], tone)]
        if reading.name in self._found:
            return self._found[reading.name]
        return [field_line(reading.name, "being read", Tone.DIM)] if reading.needed else []


def missing(view: PlanView | None, readings: PlanReadings, *, read: bool, typed: bool) -> str:
    """What a plan still waits for before y starts it, empty when for nothing."""
    if view is None:
        return "there is no plan"
    if view.tier is Tier.FREE:
        return ""
    if readings.missing:
        return readings.missing
    if readings.blocked:
        return readings.blocked
    asks = view.tier is Tier.TYPED
    if not read and (view.tier is not Tier.KEY or readings.decide):
        return f"read the plan to its end first ({'pgdn' if asks else 'G'})"
    return f"type {view.typed_name} first" if asks and not typed else ""


class DryRun:
    """The dry run of a plan: started once it is asked for, followed by its files."""

    def __init__(self) -> None:
        self.model = Rehearsal()
        self._run: RunDir | None = None
        self._offset = 0

    async def begin(self, intent: Intent) -> None:
        """Start it. Raises: PvenixError."""
        run = await intent.rehearse()
        self.model, self._offset = Rehearsal(run=run.run), 0
        self._run = run

    @property
    def at_work(self) -> bool:
        """True while it may tell more."""
        return self._run is not None and not self.model.ended

    def poll(self) -> bool:
        """Take in what it told meanwhile; True when there was something."""
        if self._run is None:
            return False
        events, self._offset = self._run.events(self._offset)
        self.model.take(events)
        return bool(events)
