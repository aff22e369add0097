"""The files of a run: the only thing that a running run and its front ends share.

runs/<run>/plan.json       the plan, written once
          /events.jsonl    one event a line
          /journal.sqlite  intent, evidence, result
          /log/<host>.log  sanitised output of the host
          /log/<host>.times  from which byte on it was written when
          /requests/       what front ends ask of the run, a file each
          /lock            held by the process that executes the run
          /abandoned.json  when the run was given up
          /decisions.jsonl what persons decided about it
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pvenix.engine.abandoned import MARK
from pvenix.engine.eventfile import EventFile
from pvenix.engine.filelock import held, sign, signature, take
from pvenix.engine.journalfile import NEWER
from pvenix.engine.noroom import no_room
from pvenix.engine.readonly import refuse
from pvenix.engine.requests import Request, put_request, take_requests
from pvenix.engine.standing import ends, waits
from pvenix.model.ages import since_words
from pvenix.model.errors import LocalResource, LockHeld, UsageError
from pvenix.model.events import Event, RunEnded
from pvenix.model.names import RunId
from pvenix.model.plan import RunPlan
from pvenix.model.secret import KNOWN

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_NAME_TRIES = 20
_SCHEMA = re.compile(r"pvenix/run/v([0-9]{1,6})")
FORMAT = 1
"""The version of a run's directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run as a list shows it."""

    run: RunId
    title: str
    state: str
    """`running`, `ended`, `interrupted` (its process died), `abandoned`, or `unreadable`."""
    started_at: str
    exit_code: int | None
    hosts: int
    counts: dict[str, int]
    """Hosts by how they ended; while the run goes on, of those that have."""
    origin: str = ""
    """The run whose failed hosts this one was made for."""
    operator: str = ""
    """Who made it."""
    ended_at: str = ""
    """When its last event was; empty while it goes on."""
    waits: bool = False
    """It goes on, and nothing happens before a person has done something."""


class RunDir:
    """One run's directory."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self.run = RunId(path.name)
        self._events = EventFile(path / "events.jsonl")

    def plan(self) -> RunPlan:
        """The run's plan.

        Raises: LocalResource when the file is missing, damaged or of a newer version.
        """
        try:
            document = json.loads((self.path / "plan.json").read_text())
            _refuse_newer(self.run, document)
            return RunPlan.from_json(document)
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

    def request(self, kind: str, host: str = "", *, step: str = "", by: str = "") -> None:
        """Ask the run for something; it looks several times a second.

        Raises: UsageError for an unknown request, ReadOnly where nothing may be changed and the run is no dry run.
        """
        if self._read_only and not self.plan().check:
            refuse("ask a run for anything")
        put_request(self.path / "requests", kind, host, step=step, by=by)

    def take_requests(self) -> list[Request]:
        """The requests made since the last call, oldest first."""
        return take_requests(self.path / "requests")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run; the kernel frees it when this process dies.

        Raises: LockHeld when another process executes the run.
        """
        path, now = self.path / "lock", _now()
        with path.open("a+") as file:
            if not take(file):
                words = signature(path)
                why = f"{since_words(words.get('since', ''), now)} by process {words['pid']}" if "pid" in words else ""
                raise LockHeld(f"run {self.run} is being executed", why=why, hint=f"pvenix runs show {self.run} -f")
            sign(file, since=now, pid=os.getpid())
            yield

    def alive(self) -> bool:
        """True while a process executes the run."""
        return held(self.path / "lock")

    def stamp(self) -> tuple[bool, int, bool]:
        """Whether a process executes the run, the bytes of its events, whether it was given up: what `summary` is of."""
        try:
            size = (self.path / "events.jsonl").stat().st_size
        except FileNotFoundError:
            size = 0
        return self.alive(), size, self.is_abandoned()

    def is_abandoned(self) -> bool:
        """True when the run was given up; `abandoned` reads when and by whom."""
        return (self.path / MARK).exists()

    def _state(self, *, ended: bool) -> str:
        if self.alive():
            return "running"
        if self.is_abandoned():
            return "abandoned"
        return "ended" if ended else "interrupted"

    def summary(self) -> RunSummary:
        """The run as a list shows it; one that cannot be read is listed as such."""
        events, _ = self.events()
        ended = events[-1] if events and isinstance(events[-1], RunEnded) else None
        try:
            plan = self.plan()
            state = self._state(ended=ended is not None)
            title, origin, hosts, operator = plan.title, plan.origin, len(plan.hosts), plan.operator
        except LocalResource as error:
            state, title, origin, hosts, operator = "unreadable", str(error), "", 0, ""
        return RunSummary(
            run=self.run,
            title=title,
            state=state,
            started_at=events[0].at if events else "",
            exit_code=ended.exit_code if ended else None,
            hosts=hosts,
            counts=dict(ended.counts) if ended else ends(events),
            origin=origin,
            operator=operator,
            ended_at=events[-1].at if events and state != "running" else "",
            waits=state == "running" and waits(events),
        )


def _refuse_newer(run: str, document: dict[str, Any]) -> None:
    found = _SCHEMA.fullmatch(str(document["schema"]))
    if found is None or int(found[1]) > FORMAT:
        raise LocalResource(
            f"run {run} cannot be read",
            why=f"its directory has the format {document['schema']!r}, known up to pvenix/run/v{FORMAT}",
            hint="use the pvenix that made it, or a newer one; nothing in it was changed",
            code=NEWER,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RunStore:
    """All runs of one fleet on this machine."""

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.read_only = read_only

    def create(self, plan: RunPlan) -> RunDir:
        """A new run with its plan on disk.

        Raises: LocalResource when the directory cannot be made, ReadOnly where only a dry run may be made.
        """
        if self.read_only and not plan.check:
            refuse("start a run")
        try:
            path = self._new_folder()
            for folder in (path / "log", path / "requests"):
                folder.mkdir(mode=0o700)
            (path / "plan.new").write_text(json.dumps(KNOWN.masked(plan.to_json()), indent=1))
            (path / "plan.new").rename(path / "plan.json")
        except OSError as error:
            raise no_room("the run's directory cannot be made", self.root, error, then="and repeat") from error
        return self._dir(path.name)

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
            return self._dir(names[-1])
        if not _RUN_ID.fullmatch(run) or run not in names:
            raise UsageError(f"there is no run {run!r}", hint="pvenix runs list")
        return self._dir(run)

    def recent(self, *, limit: int = 50) -> tuple[RunSummary, ...]:
        """The newest runs as a list shows them, newest first."""
        return tuple(run.summary() for run in self.newest(limit=limit))

    def newest(self, *, limit: int = 50) -> tuple[RunDir, ...]:
        """The newest runs, newest first."""
        return tuple(self._dir(name) for name in reversed(self._names()[-limit:]))

    def _dir(self, name: str) -> RunDir:
        return RunDir(self.root / name, read_only=self.read_only)

    def _names(self) -> list[str]:
        """Runs by age; a directory without a plan is what a process left that died before its run began."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if _is_run(path))


def _is_run(path: Path) -> bool:
    return _RUN_ID.fullmatch(path.name) is not None and (path / "plan.json").exists()
