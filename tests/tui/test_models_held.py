"""Which repetitions of a key count."""

from __future__ import annotations

import pytest

from pvenix_tui.models.held import RATE_S, REPEAT_S, HeldKey

pytestmark = pytest.mark.tui
FLEET, DIALOG = "fleet", "dialog"


def test_a_key_counts_again_where_it_was_pressed_and_not_where_it_led() -> None:
    held = HeldKey()
    assert not held.ignores("j", 0.0, FLEET)
    assert not held.ignores("j", 0.03, FLEET)
    assert held.ignores("j", 0.06, DIALOG)


def test_a_key_counts_once_it_was_let_go_of_however_long_it_was_held() -> None:
    held = HeldKey()
    held.ignores("enter", 0.0, FLEET)
    assert all(held.ignores("enter", 0.4 * step, DIALOG) for step in range(1, 50))
    assert not held.ignores("enter", 0.4 * 49 + REPEAT_S, DIALOG)


def test_another_key_counts_at_once() -> None:
    held = HeldKey()
    held.ignores("r", 0.0, FLEET)
    assert not held.ignores("y", 0.01, DIALOG)
    assert held.ignores("y", 0.02, FLEET)


def test_backing_out_always_counts() -> None:
    held = HeldKey()
    held.ignores("escape", 0.0, DIALOG)
    assert not held.ignores("escape", 0.01, FLEET)


def test_a_letter_that_opened_a_form_may_be_the_first_that_is_typed_into_it() -> None:
    held = HeldKey()
    held.ignores("n", 0.0, FLEET)
    assert not held.ignores("n", 0.15, DIALOG, typing=True)
    held.ignores("n", 1.0, FLEET)
    assert held.ignores("n", 1.0 + RATE_S / 2, DIALOG, typing=True)
