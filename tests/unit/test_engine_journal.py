"""The journal keeps what it acknowledged, through kill -9 and full disks."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pvenix.engine.journal import SqliteJournal, read_entries
from pvenix.model.errors import LocalResource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a name with % and ?" / "journal.sqlite"


@pytest.fixture(autouse=True)
def _folder(path: Path) -> None:
    path.parent.mkdir()


async def test_rows_come_back_in_the_order_of_writing(path: Path) -> None:
    with SqliteJournal(path) as journal:
        await journal.intent("a1", "0.0.clone", vmid="201")
        journal.evidence("a1", "0.0.clone", upid="UPID:x")
        await journal.result("a1", "0.0.clone", status="changed")
        rows = journal.entries()
    assert [(row.what, dict(row.data)) for row in rows] == [
        ("intent", {"vmid": "201"}),
        ("evidence", {"upid": "UPID:x"}),
        ("result", {"status": "changed"}),
    ]
    assert [row.seq for row in rows] == [1, 2, 3]


async def test_evidence_that_nobody_awaited_is_there_after_the_end(path: Path) -> None:
    with SqliteJournal(path) as journal:
        for number in range(50):
            journal.evidence("a1", "0.0.clone", number=str(number))
    assert len(read_entries(path)) == 50


async def test_a_second_process_goes_on_behind_the_rows_of_the_first(path: Path) -> None:
    for _ in range(2):
        with SqliteJournal(path) as journal:
            await journal.intent("a1", "s")
    assert [row.seq for row in read_entries(path)] == [1, 2]


async def test_an_intent_can_be_read_by_others_as_soon_as_it_is_acknowledged(path: Path) -> None:
    with SqliteJournal(path) as journal:
        await journal.intent("a1", "s", vmid="201")
        assert read_entries(path)[-1].data == {"vmid": "201"}


async def test_what_gathers_behind_a_slow_commit_goes_in_one_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    gate = threading.Event()
    from pvenix.engine import journal as module

    commit: Callable[..., Any] = module._commit

    def slow(database: sqlite3.Connection, batch: list[Any]) -> None:
        gate.wait(5)
        sizes.append(len(batch))
        commit(database, batch)

    monkeypatch.setattr(module, "_commit", slow)
    with SqliteJournal(path) as journal:
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(journal.intent("a1", f"s{number}"))
            await asyncio.sleep(0.02)
            gate.set()
    assert sum(sizes) == 40
    assert len([size for size in sizes if size]) <= 3


async def test_a_lost_database_is_an_error_for_whoever_waits_and_not_a_wait_for_ever(path: Path) -> None:
    with SqliteJournal(path) as journal:
        await journal.intent("a1", "s")
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE entry")
        other.close()
        with pytest.raises(LocalResource, match="journal"):
            await asyncio.wait_for(journal.intent("a1", "s"), 5)


async def test_one_bad_moment_does_not_end_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pvenix.engine import journal as module

    commit: Callable[..., Any] = module._commit
    left = [1]

    def once(database: sqlite3.Connection, batch: list[Any]) -> None:
        if left and left.pop():
            raise sqlite3.OperationalError("database or disk is full")
        commit(database, batch)

    monkeypatch.setattr(module, "_commit", once)
    with SqliteJournal(path) as journal:
        with pytest.raises(LocalResource, match="disk is full"):
            await journal.intent("a1", "lost")
        await journal.intent("a1", "kept")
    assert [row.step for row in read_entries(path)] == ["kept"]


async def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LocalResource, match="newer pvenix"), SqliteJournal(path):
        pass


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_text("a text of some length, which is no database" * 50)
    with pytest.raises(LocalResource, match="not a database"), SqliteJournal(path):
        pass
    with pytest.raises(LocalResource, match="cannot be read"):
        read_entries(path)


def test_no_journal_has_no_rows(path: Path) -> None:
    assert read_entries(path) == ()


async def test_a_journal_where_no_file_can_be_is_refused(path: Path) -> None:
    with pytest.raises(LocalResource), SqliteJournal(path / "no" / "such" / "folder"):
        pass


WRITER = """
import asyncio, sys
from pathlib import Path
from pvenix.engine.journal import SqliteJournal

async def main(path):
    with SqliteJournal(path) as journal:
        number = 0
        while True:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(journal.intent("a1", "s", number=str(number)))
                    number += 1
            print(number, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


def _killed_after(path: Path, lines: int) -> int:
    """How many rows a writer had acknowledged when it was killed."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        for _ in range(lines):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
    return int(rest[-1]) if rest else acknowledged


@pytest.mark.parametrize("lines", [1, 40])
def test_a_process_that_is_killed_loses_no_acknowledged_row(path: Path, lines: int) -> None:
    acknowledged = _killed_after(path, lines)
    numbers = [int(row.data["number"]) for row in read_entries(path)]
    assert sorted(numbers)[:acknowledged] == list(range(acknowledged))
    assert len(numbers) == len(set(numbers))


FILLER = """
import asyncio, resource, sys
from pathlib import Path
from pvenix.engine.journal import SqliteJournal
from pvenix.model.errors import LocalResource

async def main(path):
    with SqliteJournal(path) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        for number in range(10_000):
            try:
                await asyncio.wait_for(journal.intent("a1", "s", number=str(number), text="x" * 4000), 10)
            except LocalResource as error:
                print(number, error, flush=True)
                return

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_full_disk_is_reported_before_the_effect_and_keeps_what_was_acknowledged(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", FILLER, str(path)], capture_output=True, text=True, check=True)
    number, _, message = ended.stdout.partition(" ")
    assert int(number) > 5
    assert "journal cannot be written" in message
    assert [int(row.data["number"]) for row in read_entries(path)] == list(range(int(number)))
