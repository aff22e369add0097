"""What the screens share: the backend, the readings so far, and what went wrong with them. No widget in here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pvenix.engine.calls import CALLS, CallLog
from pvenix.engine.readonly import by_environment
from pvenix.model.errors import InvalidInput, PvenixError, UsageError
from pvenix_tui.models.fleet import FleetModel
from pvenix_tui.models.lines import Line, Tone, text_line
from pvenix_tui.prefs import Preferences
from pvenix_tui.remembered.firstlook import begin
from pvenix_tui.remembered.memory import Memory
from pvenix_tui.runfiles.recent import RecentRuns
from pvenix_tui.telling import Telling
from pvenix_tui.ticker import Clock, Ticker

if TYPE_CHECKING:
    from pvenix.engine.ports import Commit
    from pvenix.engine.runfiles import RunSummary
    from pvenix.model.review import Review
    from pvenix_tui.backend import Backend, FleetLike

_log = logging.getLogger(__name__)


class RunOutside(Protocol):
    """Gives the terminal to a program."""

    async def __call__(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        """The program's exit code. Raises: UsageError when there is no such program, LocalResource."""


async def _no_terminal(argv: Sequence[str], *, cwd: Path | None = None) -> int:  # noqa: ARG001 the shape asks for it
    raise UsageError(f"there is no terminal for `{argv[0]}`")


class Session(Telling):
    """One person's view of one fleet."""

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Clock = time.time,
        throwaway: bool = False,
        preferences: Preferences | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(clock)
        self.backend = backend
        self.preferences = preferences or Preferences()
        self._prepare = prepare
        """Called once, in a thread, when the inventory stands."""
        self.refused: Exception | None = None
        """Why there is nothing to show: the first reading of the inventory failed."""
        self.throwaway = throwaway
        """True when the site goes away with this program, and live runs with it."""
        self.ticker = Ticker()
        self.memory = Memory()
        """What a person left behind in their last session with this fleet."""
        self.fleet = FleetModel()
        self.fleet.now = clock
        self.own: frozenset[str] = frozenset()
        """The hosts that this pvenix runs on."""
        self.commits: tuple[Commit, ...] = ()
        self.runs: tuple[RunSummary, ...] = ()
        self.reviews: tuple[Review, ...] = ()
        self.reviews_read = False
        self.status_at: float | None = None
        """When the hosts were last asked, seconds since 1970."""
        self.problems: dict[str, str] = {}
        """What could not be read, by source; gone when it could be read again."""
        self.outdated: Callable[[], None] = lambda: None
        """Called when what was read is old now: a run ended, a branch was merged."""
        self.run_outside: RunOutside = _no_terminal
        """Runs ssh, an editor or the like on this terminal, while the readings go on."""
        self.calls: CallLog = CALLS
        """What this process asked of machines."""
        self._recent = RecentRuns()

    @property
    def live_runs(self) -> int:
        """Runs whose process is at work."""
        return sum(1 for run in self.runs if run.state == "running")

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed from here; the engine refuses whatever a screen asks it."""
        return self.preferences.read_only or by_environment()

    async def read_fleet(self) -> None:
        """Take in the inventory; a broken one leaves the last good one in place, and at the start is `refused`."""

        async def work() -> None:
            first = not self.fleet.hosts
            fleet = await asyncio.to_thread(self._load_fleet)
            self.fleet.load(fleet.hosts.values(), fleet.groups, fleet.select)
            if first:
                begin(self.fleet, self.memory, await asyncio.to_thread(self.backend.last_readings))

        await self.guarded("fleet", work)

    def _load_fleet(self) -> FleetLike:
        try:
            fleet = self.backend.fleet()
            if not self.fleet.loaded:
                self._prepare()
                self.memory.open(self.backend.state_dir)
        except Exception as error:  # raised again: at the start whatever it is ends the program with it
            if not self.fleet.loaded:
                self.refused = error
            raise
        if not self.throwaway:
            self.backend.remember()
        return fleet

    def explain(self, host: str) -> list[Line]:
        """Where each setting of a host comes from, or why that is not known."""
        from pvenix_tui.models.host import explain_lines

        try:
            return explain_lines(self.backend.fleet().explain(host))
        except PvenixError as error:
            return [text_line(describe(error), Tone.BAD)]

    async def guarded(self, source: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do `work`; when it fails, keep the reason as the problem of `source`. True when it did not fail."""
        try:
            await work()
        except PvenixError as error:
            self.problems[source] = describe(error)
            return False
        except ExceptionGroup as errors:
            known, other = errors.split(PvenixError)
            if known is None or other is not None:
                _log.exception("reading %s failed", source)
            self.problems[source] = describe(_first(known)) if known else f"{errors} (a bug: see tui.log)"
            return False
        except Exception as error:  # noqa: BLE001 a reading that fails must become a line on the screen, never the end of the app
            _log.exception("reading %s failed", source)
            self.problems[source] = f"{type(error).__name__} (a bug: see tui.log): {error}"
            return False
        self.problems.pop(source, None)
        return True

    async def read_status(self, hosts: Sequence[str], on_read: Callable[[], None]) -> None:
        """Read the hosts, calling back after each one."""
        self.status_at = self.clock()

        async def work() -> None:
            async for status in self.backend.status(hosts):
                self.fleet.read(status)
                on_read()

        if not await self.guarded("status", work) and not self.fleet.statuses and not self.throwaway:
            self.problems["status"] += "; no site? pvenix-tui --lab simulates one"

    async def read_own(self) -> None:
        """Read which hosts this pvenix runs on: what would end it is refused for them."""

        async def work() -> None:
            self.own = await asyncio.to_thread(self.backend.own_hosts)

        await self.guarded("own host", work)

    async def read_history(self) -> None:
        """Read the commits of the main branch."""

        async def work() -> None:
            self.commits = await self.backend.history(limit=200)

        await self.guarded("revision", work)

    async def read_reviews(self) -> None:
        """Read the list of registration branches."""

        async def work() -> None:
            self.reviews = await self.backend.reviews()
            self.reviews_read = True

        await self.guarded("reviews", work)

    async def read_runs(self) -> None:
        """Read the list of runs, and how each host's last one ended."""

        async def work() -> None:
            self.runs, self.fleet.last_runs = await asyncio.to_thread(lambda: self._recent.read(self.backend.runs))

        await self.guarded("runs", work)


def _first(errors: ExceptionGroup[PvenixError]) -> PvenixError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def describe(error: PvenixError) -> str:
    """An error in one line: what, why, what to do next; of many findings the first."""
    if isinstance(error, InvalidInput) and error.findings:
        return f"{error.what}: {error.findings[0]}"
    return f"{error}; {error.hint}" if error.hint else str(error)
