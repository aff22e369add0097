"""From the rows of a run's journal to the lines of the audit log: a line for each ended step that changed something or tried to."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from pvenix.engine.audit import AuditLog, Record, key
from pvenix.engine.journalfile import read_entries
from pvenix.engine.ports import Entry
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.skipping import BY
from pvenix.model.errors import LocalResource, LockHeld
from pvenix.model.outcome import Status

WHO: Final = "run"
"""The step of the row that says who executes the run; it has no host."""
_NEWEST: Final = 500
"""How many of the newest runs are looked at for lines that a killed process did not come to."""
_DONE: Final = "audited"


class AuditTrail:
    """A journal's `Trail`: writes the lines of a run as its steps end."""

    def __init__(self, log: AuditLog, run: str, earlier: Iterable[Entry] = ()) -> None:
        """Go on behind `earlier`; of its lines those that the log lacks are added.

        Raises: LocalResource when the log cannot be written.
        """
        self._log = log
        self._lines = _Lines(run)
        self._pending: list[Record] = []
        """What the disk did not take yet."""
        log.append(self._lines.of(earlier), missing_of=run)

    def committed(self, rows: Sequence[Entry]) -> None:
        """As `Trail.committed`."""
        self._pending += self._lines.of(rows)
        self._log.append(self._pending)
        self._pending.clear()


class _Lines:
    """Reads a journal row by row."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._who: dict[str, str] = {}
        self._tried: set[tuple[str, str]] = set()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._commit: dict[str, str] = {}

    def of(self, rows: Iterable[Entry]) -> list[Record]:
        """The lines of further rows."""
        return [line for row in rows if (line := self._line(row))]

    def _line(self, row: Entry) -> Record | None:
        place = (row.host, row.step)
        if row.step == WHO:
            self._who = dict(row.data)
        elif row.what == "intent":
            self._tried.add(place)
        if row.what != "result":
            return None
        self._ended[place] += 1
        self._commit[row.host] = row.data.get("fact.commit", self._commit.get(row.host, ""))
        tried = place in self._tried or "sent" in row.data or row.data["status"] == Status.CHANGED
        self._tried.discard(place)
        left_out = BY in row.data  # a person's decision, though nothing was done
        if not (tried or left_out) or not row.at:  # a journal of version 1, from before there was this log
            return None
        return {
            "at": row.at,
            "run": self._run,
            **self._decider(row),
            "host": row.host,
            "step": row.step,
            "verb": row.step.rpartition(".")[2],
            "count": self._ended[place],
            "commands": row.data.get("sent", ""),
            "commit": self._commit[row.host] or self._who.get("commit", ""),
            "outcome": row.data["status"],
            **({"about": row.data["summary"]} if left_out else {}),
        }

    def _decider(self, row: Entry) -> dict[str, str]:
        """Who the line of a row names: who executes the run, or of a skipped step who skipped it."""
        who = {name: self._who.get(name, "") for name in ("operator", "os_user", "git")}
        by = row.data.get(BY, who["operator"])
        return who if by == who["operator"] else {"operator": by, "os_user": "", "git": ""}


def lines_of(run: RunDir) -> list[Record]:
    """The lines of the steps of a run that ended so far, by its own journal.

    Raises: LocalResource when the journal cannot be read.
    """
    return _Lines(run.run).of(read_entries(run.journal_path))


def complete(log: AuditLog, runs: RunStore) -> None:
    """Add the lines that killed processes of earlier runs did not come to.

    Raises: LocalResource when the log cannot be written.
    """
    for run in runs.newest(limit=_NEWEST):
        if not _is_complete(run):
            with contextlib.suppress(LockHeld), run.locked():  # a run that is alive writes its own
                complete_run(log, run)


def complete_run(log: AuditLog, run: RunDir) -> None:
    """Add what the log lacks of a run whose lock this process holds, and note that it has all.

    Raises: LocalResource when the log cannot be written.
    """
    try:
        rows = read_entries(run.journal_path)
    except LocalResource:
        return  # a damaged journal says nothing; whoever opens the run is told so
    AuditTrail(log, run.run, rows)
    with contextlib.suppress(OSError):  # it is looked at again then
        (run.path / _DONE).touch()


def unwritten(log: AuditLog, runs: RunStore) -> tuple[tuple[str, str, str, int], ...]:
    """Run, host, step and count of every line that a kept run once had in the log, by its journal, and has no more.

    A run that is at work, or whose process was killed, is left out: its lines may yet come.
    """
    had = {(str(record.get("run", "")), *key(record)) for record in log.records()}
    gone = []
    for run in runs.newest(limit=_NEWEST):
        if run.alive() or not _is_complete(run):
            continue
        with contextlib.suppress(LocalResource):
            gone += [(str(run.run), *key(line)) for line in lines_of(run)]
    return tuple(place for place in gone if place not in had)


def _is_complete(run: RunDir) -> bool:
    """True when the run's journal was not written since its lines were seen to be in the log."""
    journal = (run.journal_path, run.journal_path.with_name(f"{run.journal_path.name}-wal"))
    written = [path.stat().st_mtime_ns for path in journal if path.exists()]
    with contextlib.suppress(FileNotFoundError):
        return not written or (run.path / _DONE).stat().st_mtime_ns >= max(written)
    return not written
