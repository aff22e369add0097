"""The list of error codes is what the code raises."""

from __future__ import annotations

import pytest

docs = pytest.importorskip("tools.gen_error_docs", reason="the list is part of the checkout, not of the wheel")

RELATED = {
    *("PVX0002", "PVX0511", "PVX0515", "PVX0516", "PVX0522", "PVX0527", "PVX0532"),
    *("PVX0535", "PVX0613", "PVX0614", "PVX0642", "PVX0701", "PVX0713", "PVX0715"),
}
"""Codes of errors that say the same in other words: what was looked for is gone, was refused, was changed meanwhile."""


def test_the_list_is_up_to_date() -> None:
    assert docs.PAGE.read_text() == docs.page(), "run: python tools/gen_error_docs.py"


def test_a_code_that_several_errors_have_means_the_same_in_all_of_them() -> None:
    several = {code for code, words in docs.meanings().items() if len(words) > 1}
    assert several <= RELATED, "another code, or add it here when it means the same"
