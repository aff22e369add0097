"""Every verb is killed at three moments and resumed: the end is that of an undisturbed twin. More: tools/kill_matrix.py."""

from __future__ import annotations

import os
from typing import Final

import pytest

from pvenix.model.verbs import VERBS
from tests.sim.golden import Golden
from tests.sim.kill_scenes import SCENES
from tests.sim.kills import Moment, compare, kill, twin

pytestmark = pytest.mark.sim
SEED: Final = int(os.environ.get("SIM_FIRST", "0"))


def test_every_verb_has_a_scene_in_which_it_is_killed() -> None:
    assert SCENES.keys() == VERBS.keys(), "tests/sim/kill_scenes.py: what has to be there before, host and arguments"


@pytest.mark.slow
@pytest.mark.parametrize("verb", SCENES)
def test_killed_at_any_moment_a_verb_ends_as_if_nothing_had_happened(golden: Golden, verb: str) -> None:
    like = twin(golden, verb, SEED)
    for moment in Moment:
        kill(golden, like, verb, moment, SEED)


def test_what_was_done_twice_is_found() -> None:
    once, twice = {"tasks that ended well": {"qmclone": 1}}, {"tasks that ended well": {"qmclone": 2}}
    with pytest.raises(AssertionError, match="qmclone"):
        compare(once, twice, ())
    with pytest.raises(AssertionError, match="vm 310"):
        compare({"vm 310": "there"}, {}, ())
