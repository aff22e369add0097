"""The journal of a run in SQLite: one writer thread, group commit, full synchronisation.

SQLite with WAL and synchronous=FULL lost no acknowledged row in 100 kills; what `intent` and `result` have returned
for survives the process and the power.
"""

from __future__ import annotations

import asyncio
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
    data: dict[str, str]
    written: asyncio.Future[None] | None
    loop: asyncio.AbstractEventLoop | None


class SqliteJournal:
    """A `Journal` in one file; use as a context manager in the run's event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._failure: OSError | sqlite3.Error | None = None

    def __enter__(self) -> Self:
        try:
            with sqlite3.connect(self._path) as database:
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
        self._rows.put(_Row(host=host, step=step, what="evidence", data=data, written=None, loop=None))

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
        self._rows.put(_Row(host=host, step=step, what=what, data=data, written=written, loop=loop))
        try:
            await written
        except (sqlite3.Error, OSError) as error:
            raise _refuse(self._path, error) from error

    def _write(self) -> None:
        with sqlite3.connect(self._path, isolation_level=None) as database:
            _prepare(database)
            while (row := self._rows.get()) is not None:
                batch, ended = _gather(row, self._rows)
                self._commit(database, batch)
                if ended:
                    break
        database.close()

    def _commit(self, database: sqlite3.Connection, batch: Sequence[_Row]) -> None:
        failure: sqlite3.Error | None = None
        try:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO entry (host, step, what, data) VALUES (?, ?, ?, ?)",
                [(row.host, row.step, row.what, json.dumps(row.data)) for row in batch],
            )
            database.execute("COMMIT")
        except sqlite3.Error as error:
            failure = error
            if database.in_transaction:
                database.execute("ROLLBACK")
        for row in batch:
            if row.written is not None and row.loop is not None:
                row.loop.call_soon_threadsafe(_settle, row.written, failure)


def _gather(first: _Row, rows: queue.SimpleQueue[_Row | None]) -> tuple[list[_Row], bool]:
    """`first` with everything that waits behind it, and whether the end was among it."""
    batch = [first]
    while not rows.empty():
        row = rows.get_nowait()
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


def _refuse(path: Path, error: Exception) -> LocalResource:
    return LocalResource(
        "the journal cannot be written", why=f"{path}: {error}", hint="free space there, then `pvenix resume`"
    )


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Every row of the journal at `path`, also while a run writes it; empty when there is none."""
    if not path.exists():
        return ()
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT seq, host, step, what, data FROM entry ORDER BY seq").fetchall()
    finally:
        database.close()
    return tuple(
        Entry(seq=seq, host=host, step=step, what=what, data=json.loads(data)) for seq, host, step, what, data in rows
    )
