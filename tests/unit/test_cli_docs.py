"""The reference of the command line is what the commands say."""

from __future__ import annotations

import pytest

docs = pytest.importorskip("tools.gen_cli_docs", reason="the reference is part of the checkout, not of the wheel")


def test_the_reference_is_up_to_date() -> None:
    assert docs.PAGE.read_text() == docs.page(), "run: python tools/gen_cli_docs.py"


def test_every_exit_code_has_a_meaning() -> None:
    assert set(docs.MEANINGS) == set(docs.ExitCode)
