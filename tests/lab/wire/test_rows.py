"""Every row has a test, every test a row, and docs/lab.md says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.wire.rows import ELSEWHERE, NOT_SIMULATED, ROWS, SECTIONS

docs = pytest.importorskip("tools.gen_lab_docs", reason="the page is part of the checkout, not of the wheel")
ROOT = Path(__file__).resolve().parents[3]


def test_every_row_has_a_test_and_every_tested_row_is_listed() -> None:
    assert docs.by_row().keys() == ROWS.keys()


def test_every_test_says_which_row_it_is_about() -> None:
    assert [f"{module}::{name}" for module, name, rows in docs.tests_with_rows() if not rows] == []


def test_a_row_is_simulated_or_not_and_has_a_section() -> None:
    assert not ROWS.keys() & NOT_SIMULATED.keys()
    assert {row.partition("-")[0] for row in [*ROWS, *NOT_SIMULATED]} <= SECTIONS.keys()


@pytest.mark.parametrize("test", ELSEWHERE.values())
def test_a_test_that_is_elsewhere_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_the_page_is_up_to_date() -> None:
    assert docs.PAGE.read_text() == docs.page(), "run: python tools/gen_lab_docs.py"
