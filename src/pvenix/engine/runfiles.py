"""The files of a run: the only thing that a running run and its front ends share.

runs/<run>/plan.json       the plan, written once
          /events.jsonl    one event a line
          /journal.sqlite  intent, evidence, result
          /log/<host>.log  sanitised output of the host
          /requests/       what front ends ask of the run, a file each
          /lock            held by the process that executes the run
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pvenix.engine.eventfile import EventFile
from pvenix.engine.requests import Request, put_request, take_requests
from pvenix.model.errors import LocalResource, LockHeld, UsageError
from pvenix.model.events import Event, RunEnded
from pvenix.model.names import RunId
from pvenix.model.plan import RunPlan
from pvenix.model.secret import KNOWN

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_NAME_TRIES = 20
_LOCK_TRIES = 5
_LOCK_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run as a list shows it."""

    run: RunId
    title: str
    state: str
    """`running`, `ended` or `interrupted` (its process died)."""
    started_at: str
    exit_code: int | None
    hosts: int
    counts: dict[str, int]


class RunDir:
    """One run's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = RunId(path.name)
        self._events = EventFile(path / "events.jsonl")

    def plan(self) -> RunPlan:
        """The run's plan.

        Raises: LocalResource when the file is missing or damaged.
        """
        try:
            return RunPlan.from_json(json.loads((self.path / "plan.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LocalResource(f"run {self.run} cannot be read", why=str(error)) from error

    @property
    def journal_path(self) -> Path:
        """Where the run's journal is."""
        return self.path / "journal.sqlite"

    def log_path(self, host: str) -> Path:
        """Where the output of `host` is; `host` is a validated name."""
        return self.path / "log" / f"{host}.log"

    def events(self, offset: int = 0) -> tuple[list[Event], int]:
        """Whole events from byte `offset` on, and the offset behind them."""
        return self._events.read(offset)

    def append_event(self, event: Event) -> None:
        """Add one event.

        Raises: LocalResource when the disk does not take it.
        """
        self._events.append(event)

    def mend_events(self) -> None:
        """End a line that an earlier process could not finish.

        Raises: LocalResource when the disk does not take it.
        """
        self._events.mend()

    def request(self, kind: str, host: str = "") -> None:
        """Ask the run for something; it looks several times a second.

        Raises: UsageError for an unknown request.
        """
        put_request(self.path / "requests", kind, host)

    def take_requests(self) -> list[Request]:
        """The requests made since the last call, oldest first."""
        return take_requests(self.path / "requests")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run; the kernel frees it when this process dies.

        Raises: LockHeld when another process executes the run.
        """
        with (self.path / "lock").open("a+") as file:
            if not _take(file):
                raise LockHeld(f"run {self.run} is being executed", hint=f"pvenix runs show {self.run}")
            yield

    def alive(self) -> bool:
        """True while a process executes the run."""
        try:
            with (self.path / "lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def stamp(self) -> tuple[bool, int]:
        """Whether a process executes the run, and the bytes of its events: `summary` stays while this does."""
        try:
            size = (self.path / "events.jsonl").stat().st_size
        except FileNotFoundError:
            size = 0
        return self.alive(), size

    def summary(self) -> RunSummary:
        """The run as a list shows it."""
        events, _ = self.events()
        plan = self.plan()
        ended = events[-1] if events and isinstance(events[-1], RunEnded) else None
        return RunSummary(
            run=self.run,
            title=plan.title,
            state="running" if self.alive() else "ended" if ended else "interrupted",
            started_at=events[0].at if events else "",
            exit_code=ended.exit_code if ended else None,
            hosts=len(plan.hosts),
            counts=dict(ended.counts) if ended else {},
        )


def _take(file: IO[str]) -> bool:
    """Lock `file`; tries a few times, as whoever asks `alive` holds it for a moment."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_PAUSE_S)
    return False


class RunStore:
    """All runs of one fleet on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, plan: RunPlan) -> RunDir:
        """A new run with its plan on disk.

        Raises: LocalResource when the directory cannot be made.
        """
        try:
            path = self._new_folder()
            for folder in (path / "log", path / "requests"):
                folder.mkdir(mode=0o700)
            (path / "plan.new").write_text(json.dumps(KNOWN.masked(plan.to_json()), indent=1))
            (path / "plan.new").rename(path / "plan.json")
        except OSError as error:
            raise LocalResource("the run's directory cannot be made", why=str(error)) from error
        return RunDir(path)

    def _new_folder(self) -> Path:
        """A directory with a name that no other run has: of many begun in one second two may draw the same suffix."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_NAME_TRIES):
            path = self.root / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                return path
        raise FileExistsError(errno.EEXIST, "no name is free for a run", str(self.root))

    def open(self, run: str) -> RunDir:
        """The run with this id, or the newest for `last`.

        Raises: UsageError when there is none.
        """
        names = self._names()
        if run == "last" and names:
            return RunDir(self.root / names[-1])
        if not _RUN_ID.fullmatch(run) or run not in names:
            raise UsageError(f"there is no run {run!r}", hint="pvenix runs list")
        return RunDir(self.root / run)

    def recent(self, *, limit: int = 50) -> tuple[RunSummary, ...]:
        """The newest runs as a list shows them, newest first."""
        return tuple(run.summary() for run in self.newest(limit=limit))

    def newest(self, *, limit: int = 50) -> tuple[RunDir, ...]:
        """The newest runs, newest first."""
        return tuple(RunDir(self.root / name) for name in reversed(self._names()[-limit:]))

    def _names(self) -> list[str]:
        """Runs by age; a directory without a plan is what a process left that died before its run began."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if _is_run(path))


def _is_run(path: Path) -> bool:
    return _RUN_ID.fullmatch(path.name) is not None and (path / "plan.json").exists()
