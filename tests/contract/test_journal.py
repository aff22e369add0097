"""What every Journal must do, in a file or in memory."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pvenix.engine import journal as journal_module
from pvenix.engine.journal import SqliteJournal, read_entries
from pvenix.engine.ports import Entry, Journal
from pvenix.model.errors import LocalResource
from tests.contract.memory_repo import Loss
from tests.contract.methods import methods_of
from tests.sim.ports import Calls
from tests.sim.records import SimJournal
from tests.unit.engine_support import MemoryJournal


@pytest.fixture(params=["sqlite", "memory", "simulation"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    if request.param == "sqlite":
        with SqliteJournal(tmp_path / "journal.sqlite") as made:
            yield made
    else:
        yield MemoryJournal() if request.param == "memory" else SimJournal()


@dataclass(frozen=True, kw_only=True)
class DurableWorld:
    """A journal whose process can die in a write; `rows` is what another process finds."""

    journal: Journal
    rows: Callable[[], tuple[Entry, ...]]
    die: Callable[[Loss, asyncio.Task[None]], None]
    """Let the process, which is the task, end in its next write."""


@pytest.fixture(params=["sqlite", "simulation"])
def durable(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DurableWorld]:
    if request.param == "simulation":
        sim = SimJournal()

        def die(loss: Loss, _task: asyncio.Task[None]) -> None:
            sim.calls = Calls(die_on="journal", before=loss is Loss.BEFORE)

        yield DurableWorld(journal=sim, rows=sim.entries, die=die)
        return
    path = tmp_path / "journal.sqlite"
    with SqliteJournal(path) as made:
        yield DurableWorld(
            journal=made, rows=lambda: read_entries(path), die=lambda loss, task: _kill_writer(monkeypatch, loss, task)
        )


def _kill_writer(patch: pytest.MonkeyPatch, loss: Loss, task: asyncio.Task[None]) -> None:
    """The writer's next commit fails, or the task ends when it was made."""
    loop, commit = asyncio.get_running_loop(), journal_module._commit

    def dying(database: sqlite3.Connection, batch: Sequence[Any]) -> None:
        if loss is Loss.BEFORE:
            raise sqlite3.OperationalError("database or disk is full")
        commit(database, batch)
        if batch:  # the last one of a journal is empty
            loop.call_soon_threadsafe(task.cancel)

    patch.setattr(journal_module, "_commit", dying)


WRITES: dict[str, Callable[[Journal], Awaitable[None]]] = {
    "intent": lambda journal: journal.intent("a1", "s", vmid="201"),
    "result": lambda journal: journal.result("a1", "s", vmid="201"),
}


def test_no_method_is_left_out() -> None:
    """Evidence is not awaited, and so nobody is told of its loss; reading has rules of its own."""
    assert WRITES.keys() | {"evidence", "entries"} == methods_of(Journal)


@pytest.mark.parametrize("loss", Loss, ids=lambda loss: loss.name.lower())
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_write_that_is_cut_is_whole_or_absent_and_its_caller_does_not_go_on(
    durable: DurableWorld, write: Callable[[Journal], Awaitable[None]], loss: Loss
) -> None:
    await durable.journal.intent("a1", "before")
    went_on = False

    async def process() -> None:
        nonlocal went_on
        task = asyncio.current_task()
        assert task
        durable.die(loss, task)
        await write(durable.journal)
        went_on = True

    async with asyncio.TaskGroup() as group:
        task = group.create_task(_ended(process()))
    assert task.cancelled() or isinstance(task.result(), LocalResource)
    assert not went_on
    found = [(row.step, dict(row.data)) for row in durable.rows()]
    assert found == [("before", {}), *([("s", {"vmid": "201"})] if loss is Loss.AFTER else [])]


async def _ended(process: Awaitable[None]) -> BaseException | None:
    try:
        await process
    except LocalResource as error:
        return error
    return None


async def test_evidence_that_is_lost_with_its_process_takes_no_other_row_with_it(durable: DurableWorld) -> None:
    await durable.journal.intent("a1", "s")
    task = asyncio.current_task()
    assert task
    durable.die(Loss.BEFORE, task)
    durable.journal.evidence("a1", "s", upid="UPID:1")
    with pytest.raises((LocalResource, asyncio.CancelledError)):
        await durable.journal.result("a1", "s")
    assert [row.what for row in durable.rows()] == ["intent"]


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


async def test_rows_that_were_read_do_not_change_with_the_next(journal: Journal) -> None:
    data = {"vmid": "201"}
    await journal.intent("a1", "s", **data)
    first = journal.entries()
    data["vmid"] = "202"
    await journal.result("a1", "s", **data)
    assert [(row.what, dict(row.data)) for row in first] == [("intent", {"vmid": "201"})]
