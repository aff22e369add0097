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
from pathlib import Path
from types import TracebackType
from typing import Self

from pvenix.engine.ports import Entry
from pvenix.model.errors import LocalResource
from pvenix.model.secret import KNOWN

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, step TEXT NOT NULL, what TEXT NOT NULL, data TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    host: str
    step: str
    what: str
    data: str
    """JSON."""
    written: asyncio.Future[None] | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def settle(self, failure: sqlite3.Error | None) -> None:
        """Tell whoever waits for the row; nobody does once the run's loop is closed."""
        if self.written is not None and self.loop is not None:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(_settle, self.written, failure)


class SqliteJournal:
    """A `Journal` in one file; use as a context manager in the run's event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)

    def __enter__(self) -> Self:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as database:
                _prepare(database)
        except sqlite3.Error as error:
            raise _refuse(self._path, error) from error
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
        self._rows.put(_Row(host=host, step=step, what="evidence", data=json.dumps(KNOWN.masked(data))))

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
        self._rows.put(
            _Row(host=host, step=step, what=what, data=json.dumps(KNOWN.masked(data)), written=written, loop=loop)
        )
        try:
            await written
        except sqlite3.Error as error:
            raise _refuse(self._path, error) from error

    def _write(self) -> None:
        """The writer thread: commits what has gathered, until the end is asked for."""
        database: sqlite3.Connection | None = None
        ended = False
        while not ended:
            batch, ended = _gather(self._rows)
            failure: sqlite3.Error | None = None
            try:
                database = database or _open(self._path)
                _commit(database, batch)
            except sqlite3.Error as error:
                failure = error
            for row in batch:
                row.settle(failure)
        if database is not None:
            database.close()


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        _prepare(database)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _commit(database: sqlite3.Connection, batch: Sequence[_Row]) -> None:
    if not batch:
        return
    try:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT INTO entry (host, step, what, data) VALUES (?, ?, ?, ?)",
            [(row.host, row.step, row.what, row.data) for row in batch],
        )
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _gather(rows: queue.SimpleQueue[_Row | None]) -> tuple[list[_Row], bool]:
    """The next row with everything that waits behind it, and whether the end was among it."""
    batch: list[_Row] = []
    while not batch or not rows.empty():
        row = rows.get()
        if row is None:
            return batch, True
        batch.append(row)
    return batch, False


def _settle(written: asyncio.Future[None], failure: sqlite3.Error | None) -> None:
    if written.done():
        return
    if failure is None:
        written.set_result(None)
    else:
        written.set_exception(failure)


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"written by a newer pvenix (journal version {version})")
    database.execute(_SCHEMA)
    database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _refuse(path: Path, error: Exception, *, what: str = "written") -> LocalResource:
    hint = "free space there, then `pvenix resume`" if what == "written" else ""
    return LocalResource(f"the journal cannot be {what}", why=f"{path}: {error}", hint=hint)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Every row of the journal at `path`, also while a run writes it; empty when there is none.

    Raises: LocalResource when the file is no journal.
    """
    if not path.exists():
        return ()
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT seq, host, step, what, data FROM entry ORDER BY seq").fetchall()
    except sqlite3.Error as error:
        raise _refuse(path, error, what="read") from error
    return tuple(
        Entry(seq=seq, host=host, step=step, what=what, data=json.loads(data)) for seq, host, step, what, data in rows
    )
