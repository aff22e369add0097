"""The format of a run's journal file: its versions, the way from each to the next, and its rows.

The version stands in SQLite's `user_version`. A file of a newer version is left as it is.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
from pathlib import Path
from typing import Final

from pvenix.engine.ports import Entry
from pvenix.model.errors import LocalResource

_STEPS: Final = (
    """CREATE TABLE IF NOT EXISTS entry (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, step TEXT NOT NULL, what TEXT NOT NULL, data TEXT NOT NULL
    )""",
    "ALTER TABLE entry ADD COLUMN at TEXT NOT NULL DEFAULT ''",
)
"""What makes version 1 of nothing, version 2 of version 1, and so on."""
VERSION: Final = len(_STEPS)
NEWER: Final = "PVX0810"
"""A file of a newer version of pvenix."""


class NewerVersion(sqlite3.DatabaseError):
    """A file that this version cannot read."""


def open_journal(path: Path) -> sqlite3.Connection:
    """The journal at `path`, made or brought to this version; every commit is on disk when it returns.

    Raises: NewerVersion, sqlite3.Error.
    """
    database = sqlite3.connect(path, isolation_level=None)
    try:
        _version(database)  # before anything is written
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        _migrate(database)
    except sqlite3.Error:
        database.close()
        raise
    return database


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Every row of the journal at `path`, of any version, also while a run writes it; empty when there is none.

    One that a full disk let nobody make holds nothing at all, and is made by the next who opens it.

    Raises: LocalResource when the file is no journal, or a newer one.
    """
    if not path.exists():
        return ()
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and not _version(database):
                return ()
            at = "at" if _version(database) > 1 else "''"
            query = f"SELECT seq, host, step, what, data, {at} FROM entry ORDER BY seq"  # noqa: S608 - one of two words
            rows = database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise refusal(path, error, what="read") from error
    return tuple(
        Entry(seq=seq, host=host, step=step, what=what, data=json.loads(data), at=at)
        for seq, host, step, what, data, at in rows
    )


def refusal(path: Path, error: Exception, *, what: str = "written") -> LocalResource:
    """The error of a journal that cannot be written, or read."""
    if isinstance(error, NewerVersion):
        return LocalResource(
            f"the journal cannot be {what}",
            why=f"{path}: {error}",
            hint="use the pvenix that made it, or a newer one; the file was left as it is",
            code=NEWER,
        )
    hint = "free space there, then `pvenix resume`" if what == "written" else ""
    if what == "read" and _no_room(error):
        hint = f"is the disk full? df -h {shlex.quote(str(path.parent))}; free space there, then the same command again"
    return LocalResource(f"the journal cannot be {what}", why=f"{path}: {error}", hint=hint)


def _no_room(error: Exception) -> bool:
    """Whether the disk may be full: also a reader makes an index beside a WAL (https://sqlite.org/wal.html, "-shm")."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest is the extended code
    return code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise NewerVersion(f"written by a newer pvenix (journal version {version}, known up to {VERSION})")
    return version


def _migrate(database: sqlite3.Connection) -> None:
    """Bring the file to this version in one transaction: a process that dies leaves the version that it found."""
    if _version(database) == VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS[_version(database) :]:  # looked at again: another process may have been first
            database.execute(step)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
