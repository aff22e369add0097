"""No row of the field's failures is without a test that drives the command line."""

from __future__ import annotations

import pytest

docs = pytest.importorskip("tools.gen_fault_docs", reason="the list is part of the checkout, not of the wheel")


@pytest.mark.parametrize("name", [f"F{number:02}" for number in range(1, 44)])
def test_each_row_is_driven_through_the_command_line(name: str) -> None:
    assert [proof for proof in docs.proofs_by_row().get(name, ()) if docs.is_command_line(proof)]
