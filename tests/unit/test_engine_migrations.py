"""Files of other versions: an older journal is brought forward and loses nothing, a newer one is left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pvenix.engine import journalfile
from pvenix.engine.journal import SqliteJournal, read_entries
from pvenix.engine.journalfile import VERSION, NewerVersion, open_journal
from pvenix.model.errors import LocalResource

DATA = Path(__file__).parent / "data"
OLDER = sorted(DATA.glob("journal_v*.sql"))


def made(path: Path, script: Path) -> Path:
    """A journal as the version of `script` left it."""
    database = sqlite3.connect(path)
    database.executescript(script.read_text())
    database.close()
    return path


def version(path: Path) -> int:
    database = sqlite3.connect(path)
    try:
        return int(database.execute("PRAGMA user_version").fetchone()[0])
    finally:
        database.close()


def test_every_older_version_has_its_file() -> None:
    assert [script.stem for script in OLDER] == [f"journal_v{number}" for number in range(1, VERSION)]


@pytest.mark.parametrize("script", OLDER, ids=lambda script: script.stem)
def test_an_older_journal_is_read_without_being_touched(tmp_path: Path, script: Path) -> None:
    path = made(tmp_path / "journal.sqlite", script)
    before = path.read_bytes()
    rows = read_entries(path)
    assert [(row.seq, row.what, row.at) for row in rows] == [
        (1, "intent", ""),
        (2, "evidence", ""),
        (3, "result", ""),
        (4, "intent", ""),
    ]
    assert path.read_bytes() == before


@pytest.mark.parametrize("script", OLDER, ids=lambda script: script.stem)
async def test_an_older_journal_is_gone_on_with_and_keeps_every_row(tmp_path: Path, script: Path) -> None:
    path = made(tmp_path / "journal.sqlite", script)
    before = read_entries(path)
    with SqliteJournal(path) as journal:
        await journal.result("a1", "0.1.boot", status="changed")
        rows = journal.entries()
    assert rows[:-1] == before
    assert (rows[-1].seq, rows[-1].at[-1], version(path)) == (5, "Z", VERSION)


@pytest.mark.parametrize("script", OLDER, ids=lambda script: script.stem)
def test_a_migration_that_is_cut_short_leaves_the_older_version_whole(
    tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "journal.sqlite", script)
    before, old = read_entries(path), version(path)
    monkeypatch.setattr(journalfile, "_STEPS", (*journalfile._STEPS[:-1], journalfile._STEPS[-1], "no SQL at all"))
    monkeypatch.setattr(journalfile, "VERSION", VERSION + 1)
    with pytest.raises(sqlite3.OperationalError):
        open_journal(path)
    monkeypatch.undo()
    assert (version(path), read_entries(path)) == (old, before)


@pytest.mark.parametrize("act", [read_entries, open_journal])
def test_a_newer_journal_is_refused_with_what_to_do_and_left_untouched(
    tmp_path: Path, act: Callable[[Path], object]
) -> None:
    path = made(tmp_path / "journal.sqlite", OLDER[0])
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = path.read_bytes()
    with pytest.raises((LocalResource, NewerVersion), match="newer pvenix"):
        act(path)
    with pytest.raises(LocalResource) as refused, SqliteJournal(path):
        pass
    assert "use the pvenix that made it, or a newer one" in refused.value.hint
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["journal.sqlite"]
