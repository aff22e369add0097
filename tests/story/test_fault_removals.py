"""The tests of failures notice when their handling is gone: shown by taking it away from a copy of pvenix."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools import gen_fault_docs, unhandle
from tools.removals import NOT_ONE_TEXT, REMOVALS
from tools.removals.spec import ROWS_TEST, Removal

NOTHING = Removal(
    rows=("F08",),
    what="nothing at all",
    file="src/pvenix/adapters/pve/tasks.py",
    old="_FIRST_PAUSE_S: Final = 0.1",
    new="_FIRST_PAUSE_S: Final = 0.10",
    tests=(f"{ROWS_TEST}::test_warnings_are_a_success_and_are_shown",),
)


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.slug)
def test_the_text_of_every_removal_is_there_once(removal: Removal) -> None:
    path = unhandle.ROOT / removal.file
    assert path.read_text().count(removal.old) == 1
    assert removal.old != removal.new
    ast.parse(path.read_text().replace(removal.old, removal.new))


def test_every_test_of_a_removal_exists() -> None:
    for removal in REMOVALS:
        for test in removal.tests:
            file, _, name = test.partition("::")
            assert not name or f"def {name}(" in (unhandle.ROOT / file).read_text(), test


def test_every_handled_row_has_a_removal_or_a_reason_why_no_single_text_is_its_handling() -> None:
    handled = {*gen_fault_docs.proofs_by_row(), *gen_fault_docs.ELSEWHERE}
    removed = {row for removal in REMOVALS for row in removal.rows}
    assert handled - removed - set(NOT_ONE_TEXT) == set()
    assert not set(NOT_ONE_TEXT) & removed


def test_a_text_that_is_no_longer_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "src/pvenix/adapters/pve").mkdir(parents=True)
    (tmp_path / NOTHING.file).write_text("nothing of it\n")
    with pytest.raises(ValueError, match="0 times"):
        NOTHING.apply(tmp_path)


def test_the_same_seed_draws_the_same_ten() -> None:
    options = unhandle._parse(["--seed", "3"])
    assert unhandle._chosen(options) == unhandle._chosen(options)
    assert len(unhandle._chosen(options)) == unhandle.DRAWN


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_without_its_handling_the_test_of_a_row_turns_red(capsys: pytest.CaptureFixture[str]) -> None:
    assert unhandle.main(["F02", "F05", "F25", "T7"]) == 0, capsys.readouterr().out
    assert "5 of 5 removals turned their test red" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_removal_that_removes_nothing_is_found_out(tmp_path: Path) -> None:
    assert not unhandle.judge(NOTHING, tmp_path / "copy").red
