"""What every Journal must do, in a file or in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvenix.engine.journal import SqliteJournal
from pvenix.engine.ports import Journal
from tests.sim.ports import SimJournal
from tests.unit.engine_support import MemoryJournal

Reopen = Callable[[], Journal]


@pytest.fixture(params=["sqlite", "memory", "simulation"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    if request.param == "sqlite":
        with SqliteJournal(tmp_path / "journal.sqlite") as made:
            yield made
    else:
        yield MemoryJournal() if request.param == "memory" else SimJournal()


async def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert journal.entries() == ()


async def test_what_was_awaited_is_there(journal: Journal) -> None:
    await journal.intent("a1", "0.0.clone", vmid="201", node="n1")
    await journal.result("a1", "0.0.clone", status="changed")
    assert [(row.host, row.step, row.what, dict(row.data)) for row in journal.entries()] == [
        ("a1", "0.0.clone", "intent", {"vmid": "201", "node": "n1"}),
        ("a1", "0.0.clone", "result", {"status": "changed"}),
    ]


async def test_evidence_comes_before_the_result_that_follows_it(journal: Journal) -> None:
    await journal.intent("a1", "s")
    journal.evidence("a1", "s", upid="UPID:1")
    journal.evidence("a1", "s", upid="UPID:2")
    await journal.result("a1", "s")
    assert [(row.what, row.data.get("upid")) for row in journal.entries()] == [
        ("intent", None),
        ("evidence", "UPID:1"),
        ("evidence", "UPID:2"),
        ("result", None),
    ]


async def test_evidence_is_there_soon_without_being_awaited(journal: Journal) -> None:
    journal.evidence("a1", "s", upid="UPID:1")
    async with asyncio.timeout(5):
        while not journal.entries():  # noqa: ASYNC110 - the writer is a thread
            await asyncio.sleep(0.002)


async def test_numbers_count_up_and_each_host_keeps_its_own_order(journal: Journal) -> None:
    async def steps(host: str) -> None:
        for number in range(10):
            await journal.intent(host, f"0.{number}")

    async with asyncio.TaskGroup() as group:
        for host in ("a1", "b2", "c3"):
            group.create_task(steps(host))
    rows = journal.entries()
    assert [row.seq for row in rows] == sorted({row.seq for row in rows})
    for host in ("a1", "b2", "c3"):
        assert [row.step for row in rows if row.host == host] == [f"0.{number}" for number in range(10)]


@pytest.mark.parametrize(
    "text", ["", "many\nlines\r\n", "\x00", "\U0001f600 ü", "'; DROP TABLE entry; --", "x" * 100_000]
)
async def test_any_text_comes_back_as_it_was(journal: Journal, text: str) -> None:
    await journal.intent("a1", "s", text=text)
    assert journal.entries()[-1].data["text"] == text


async def test_a_key_need_not_be_a_word(journal: Journal) -> None:
    await journal.result("a1", "s", **{"fact.vmid": "201", "data": "y", "what": "x"})
    assert dict(journal.entries()[-1].data) == {"fact.vmid": "201", "data": "y", "what": "x"}
