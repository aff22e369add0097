"""A small sample of the lanes over real sockets; `make lanes` runs them at length."""

from __future__ import annotations

import pytest

from tests.lanes import cuts, lockouts
from tests.lanes.field import a_field

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(300)]


def test_what_is_claimed_after_a_cut_is_so_and_silence_is_noticed() -> None:
    with a_field(10, seed=3) as site:
        verdicts = list(cuts.a_round(site, cuts.chosen(site.hosts, 3, 0), "A round of cuts"))
    assert {one.cut.way for one in verdicts} == {*cuts.WAYS}
    assert [one for one in verdicts if one.wrong] == []
    silences = [one.silence_s for one in verdicts if one.cut.way == "silent" and one.struck]
    assert silences
    assert max(silences) < cuts.NOTICED_S


def test_a_host_that_a_new_system_locks_us_out_of_is_back_on_the_old_one() -> None:
    with a_field(len(lockouts.KINDS), seed=4) as site:
        verdicts = list(lockouts.a_round(site, 0, "A round of lock-outs"))
    assert {one.kind for one in verdicts} == {*lockouts.KINDS}
    assert [one for one in verdicts if one.wrong] == []
