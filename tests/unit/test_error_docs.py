"""The list of error codes is what the code raises."""

from __future__ import annotations

import pytest

docs = pytest.importorskip("tools.gen_error_docs", reason="the list is part of the checkout, not of the wheel")


def test_the_list_is_up_to_date() -> None:
    assert docs.PAGE.read_text() == docs.page(), "run: python tools/gen_error_docs.py"
