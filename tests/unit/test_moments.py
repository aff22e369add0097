"""Moments in text that people read."""

from __future__ import annotations

import pytest

from pvenix.model.ages import decided_words, moment_words
from pvenix.model.approval import Decision, Verdict

AT = "2026-11-21T01:10:46.842Z"


@pytest.mark.parametrize("at", [AT, "2026-11-21T03:10:46+02:00"])
def test_a_moment_is_told_to_the_minute_with_its_zone(at: str) -> None:
    assert moment_words(at) == "2026-11-21 01:10 UTC"


def test_a_moment_that_cannot_be_read_is_shown_as_it_is() -> None:
    assert moment_words("some day") == "some day"


def test_who_approved_a_change_is_told_without_a_raw_time_stamp() -> None:
    decision = Decision(verdict=Verdict.APPROVED, by="root", at=AT, comment="go on")
    assert decision.shown == "approved by root at 2026-11-21 01:10 UTC: go on"


def test_only_the_moment_of_a_decision_is_put_in_other_words() -> None:
    assert decided_words(f"rejected by root at {AT}: since {AT}") == (
        f"rejected by root at 2026-11-21 01:10 UTC: since {AT}"
    )
    assert decided_words(f"somebody wrote at {AT}") == f"somebody wrote at {AT}"
