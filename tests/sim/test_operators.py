"""Two operators on one host, one of whom may fall asleep: never two activations at once. More: tools/operators.py."""

from __future__ import annotations

import pytest

from tests.sim.golden import Golden
from tests.sim.operators import History, Ran, Told, interleaved

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("seed", [2, 14])
def test_an_owner_that_slept_past_its_fence_or_its_dead_man_activates_nothing(golden: Golden, seed: int) -> None:
    """Its dead-man had spoken before the activation, or its host was taken over; found by tools/operators.py."""
    assert interleaved(golden, seed).skipped == 1


def test_an_owner_that_wakes_to_a_third_system_leaves_the_host_to_whoever_took_it_over(golden: Golden) -> None:
    told = interleaved(golden, 138)
    assert (told.taken_over, told.ends["locked"] > 0) == (1, True)


@pytest.mark.slow
def test_no_two_activations_run_at_once_however_two_operators_meet(golden: Golden) -> None:
    told = [interleaved(golden, seed) for seed in range(20)]
    assert all(isinstance(one, Told) for one in told)
    assert sum(one.ends["locked"] for one in told) > 3


def test_activations_at_the_same_time_are_found() -> None:
    history = History(
        ran=[Ran(unit=unit, began=began, ended=began + 2) for unit, began in (("a", 0), ("b", 2), ("c", 3))]
    )
    assert [(one.unit, other.unit) for one, other in history.overlaps()] == [("b", "c")]
