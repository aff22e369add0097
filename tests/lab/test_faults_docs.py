"""docs/faults.md says what the catalogue and the tests say, and leaves no row without an answer."""

from __future__ import annotations

import re

from pvenix_lab.site.faults import ROWS
from tools import gen_fault_docs as docs


def test_the_page_is_what_the_catalogue_and_the_tests_say() -> None:
    assert docs.PAGE.read_text() == docs.page(), "python tools/gen_fault_docs.py"


def test_every_row_is_proven_or_put_off_with_the_part_that_it_waits_for() -> None:
    proven = docs.proofs_by_row()
    assert set(ROWS) <= {*proven, *docs.ELSEWHERE, *docs.LATER}
    assert set(proven) <= set(ROWS)


def test_every_fault_that_a_row_names_is_shown_by_a_test_of_the_lab() -> None:
    shown = docs.lab_tests()
    assert [name for name, row in ROWS.items() if row.fault and row.fault not in shown] == []


def test_the_files_that_the_page_names_exist() -> None:
    named = re.findall(r"tests/[\w/]+\.py", docs.PAGE.read_text())
    assert [path for path in named if not (docs.ROOT / path).is_file()] == []
