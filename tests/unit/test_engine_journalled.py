"""The audit log read from its end, and how what its lines say is undone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pvenix.engine.audit import AuditLog, Mark, Record, sealed
from pvenix.engine.auditpages import page, pages, since
from pvenix.engine.deeds import undos
from pvenix.engine.journal import SqliteJournal
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task


def line(number: int, **more: str | int) -> Record:
    return {"run": "r", "host": f"a{number}", "step": "0.0.rebuild", "verb": "rebuild", "count": 1, **more}


def written(folder: Path, lines: int) -> AuditLog:
    log, mark = AuditLog(folder), Mark()
    with log.path.open("wb") as file:
        for number in range(lines):
            text, mark = sealed(line(number, outcome="changed"), mark)
            file.write(text + b"\n")
    return log


@pytest.mark.parametrize("lines", [0, 1, 2, 7, 5000])
def test_all_pages_together_are_the_log_from_its_end(tmp_path: Path, lines: int) -> None:
    log = written(tmp_path, lines)
    found = [record["host"] for each in pages(log) for record in each.records]
    assert found == [f"a{number}" for number in reversed(range(lines))]


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_no_line_is_lost_or_cut_wherever_a_page_begins(tmp_path: Path, size: int) -> None:
    log, found, before = written(tmp_path, 9), [], None
    while before != 0:
        here = page(log, before, size=size)
        found += [record["host"] for record in here.records]
        before = here.at
    assert found == [f"a{number}" for number in reversed(range(9))]


def test_what_is_written_later_comes_behind_the_page_and_an_unfinished_line_not_at_all(tmp_path: Path) -> None:
    log = written(tmp_path, 3)
    first = page(log)
    with log.path.open("ab") as file:
        file.write(b'{"host":"a4"}\n{"host":"a5"')
    later = since(log, first.end)
    assert [record["host"] for record in later.records] == ["a4"]
    assert since(log, later.end).records == ()
    assert page(log).end == later.end


def test_the_newest_lines_of_a_long_log_are_there_at_once(tmp_path: Path) -> None:
    log = written(tmp_path, 100_000)
    begun = time.process_time()
    assert page(log).records[0]["host"] == "a99999"
    assert time.process_time() - begun < 0.5


def test_a_file_that_is_no_log_shows_nothing_and_stops_nothing(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.path.write_bytes(b"\x00\xff\n[1]\n7\n{}\n" + b"x" * 2_000_000)
    assert page(log).records == ()


def kept(folder: Path, verb: str, args: dict[str, ArgValue], **known: str) -> tuple[RunStore, RunDir]:
    runs = RunStore(folder / "runs")
    play = PlayPlan(name="p", waves=(("dns01",),), tasks=(Task(verb=verb, args=args),))
    run = runs.create(RunPlan(title="t", plays=(play,), fleet="/f"))
    with SqliteJournal(run.journal_path) as journal:
        journal.evidence("dns01", f"0.0.{verb}", **known)
    return runs, run


@pytest.mark.parametrize(
    ("verb", "args", "known", "told"),
    [
        ("snapshot", {}, {"snapshot": "p1"}, "pvenix delete-snapshot dns01 --name p1 --confirm dns01"),
        ("pin-generation", {"number": 41}, {}, "pvenix generations unpin dns01 41"),
        ("migrate", {"to": "tappaas2"}, {"came_from": "tappaas1"}, "pvenix migrate dns01 --to tappaas1"),
        ("register", {}, {}, "pvenix unregister dns01"),
        ("start", {}, {}, "pvenix shutdown dns01"),
    ],
)
def test_a_line_is_undone_with_the_values_that_its_runs_journal_has(
    tmp_path: Path, verb: str, args: dict[str, ArgValue], known: dict[str, str], told: str
) -> None:
    runs, run = kept(tmp_path, verb, args, **known)
    record = line(1, host="dns01", run=run.run, step=f"0.0.{verb}", verb=verb, outcome="changed")
    assert [undo.told for undo in undos([record], runs)] == [told]


def test_a_line_whose_run_was_thrown_away_says_which_value_nobody_knows_any_more(tmp_path: Path) -> None:
    record = line(1, host="dns01", step="0.0.snapshot", verb="snapshot", outcome="changed")
    [undo] = undos([record], RunStore(tmp_path / "runs"))
    assert "the record does not say the name" in undo.told


def test_a_step_that_was_tried_again_is_undone_once_and_as_it_ended(tmp_path: Path) -> None:
    tries = [line(1, outcome="failed"), line(1, outcome="changed", count=2), line(2, outcome="changed")]
    [undo] = undos(tries, RunStore(tmp_path / "runs"))
    assert undo.told == "pvenix rollback a1 a2 --before r"


def test_a_merge_is_undone_with_all_that_it_brought_to_main(tmp_path: Path) -> None:
    record = line(1, step="", run="", verb="merge", outcome="changed", before="a" * 40, commit="b" * 40)
    [undo] = undos([record], RunStore(tmp_path / "runs"))
    assert (undo.told, undo.short) == (f"pvenix revert {'a' * 12}..{'b' * 12}", f"revert {'b' * 7}")
