"""The journal of a run in SQLite: one writer thread, group commit, full synchronisation.

SQLite with WAL and synchronous=FULL lost no acknowledged row in 100 kills; what `intent` and `result` have returned
for survives the process and the power.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from pvenix.engine.journalfile import open_journal, read_entries, refusal
from pvenix.engine.ports import Entry
from pvenix.model.secret import KNOWN

__all__ = ["SqliteJournal", "Trail", "read_entries"]


class Trail(Protocol):
    """Is told of rows, in the order of the journal, once they are on disk."""

    def committed(self, rows: Sequence[Entry]) -> None:
        """Take rows down; called by the journal's thread.

        Raises: LocalResource when it cannot; whoever waits for a row is told, and the row stays in the journal.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    host: str
    step: str
    what: str
    data: dict[str, str]
    written: asyncio.Future[None] | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def settle(self, failure: Exception | None) -> None:
        """Tell whoever waits for the row; nobody does once the run's loop is closed."""
        if self.written is not None and self.loop is not None:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(_settle, self.written, failure)


class SqliteJournal:
    """A `Journal` in one file; use as a context manager in the run's event loop."""

    def __init__(self, path: Path, *, trail: Trail | None = None) -> None:
        self._path = path
        self._trail = trail
        self._rows: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)

    def __enter__(self) -> Self:
        try:
            open_journal(self._path).close()
        except sqlite3.Error as error:
            raise refusal(self._path, error) from error
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.put(None)
        self._thread.join(timeout=10)

    async def intent(self, host: str, step: str, **data: str) -> None:
        """Durable when it returns.

        Raises: LocalResource when the disk does not take it.
        """
        await self._append(host, step, "intent", data)

    def evidence(self, host: str, step: str, **data: str) -> None:
        """Recorded with the next commit, within milliseconds; not awaited."""
        self._rows.put(_Row(host=host, step=step, what="evidence", data=KNOWN.masked(data)))

    async def result(self, host: str, step: str, **data: str) -> None:
        """Durable when it returns.

        Raises: LocalResource when the disk does not take it.
        """
        await self._append(host, step, "result", data)

    def entries(self) -> tuple[Entry, ...]:
        """Every row in the order of writing."""
        return read_entries(self._path)

    async def _append(self, host: str, step: str, what: str, data: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._rows.put(_Row(host=host, step=step, what=what, data=KNOWN.masked(data), written=written, loop=loop))
        try:
            await written
        except sqlite3.Error as error:
            raise refusal(self._path, error) from error

    def _write(self) -> None:
        """The writer thread: commits what has gathered, until the end is asked for."""
        database: sqlite3.Connection | None = None
        ended = False
        while not ended:
            batch, ended = _gather(self._rows)
            failure: Exception | None = None
            try:
                database = database or open_journal(self._path)
                rows = _commit(database, batch)
                if self._trail is not None:
                    self._trail.committed(rows)
            except Exception as error:  # noqa: BLE001 - whoever waits for a row must hear of it, or waits for ever
                failure = error
            for row in batch:
                row.settle(failure)
        if database is not None:
            database.close()


def _commit(database: sqlite3.Connection, batch: Sequence[_Row]) -> tuple[Entry, ...]:
    """The rows as they are in the file, all of them or none."""
    if not batch:
        return ()
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        database.execute("BEGIN IMMEDIATE")
        written = tuple(_insert(database, row, at) for row in batch)
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    return written


def _insert(database: sqlite3.Connection, row: _Row, at: str) -> Entry:
    values = (row.host, row.step, row.what, json.dumps(row.data), at)
    done = database.execute("INSERT INTO entry (host, step, what, data, at) VALUES (?, ?, ?, ?, ?)", values)
    return Entry(seq=done.lastrowid or 0, host=row.host, step=row.step, what=row.what, data=row.data, at=at)


def _gather(rows: queue.SimpleQueue[_Row | None]) -> tuple[list[_Row], bool]:
    """The next row with everything that waits behind it, and whether the end was among it."""
    batch: list[_Row] = []
    while not batch or not rows.empty():
        row = rows.get()
        if row is None:
            return batch, True
        batch.append(row)
    return batch, False


def _settle(written: asyncio.Future[None], failure: Exception | None) -> None:
    if written.done():
        return
    if failure is None:
        written.set_result(None)
    else:
        written.set_exception(failure)
