"""Seeds by the hundred: onboarding, rebuild, rollback and retirement under faults, deaths and resumes.

More of them on all cores: make sim SEEDS=5000. One of them, told line by line: python tools/sim.py --seed N --verbose
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

import pytest

from pvenix.model.events import StepEnded
from pvenix.model.verbs import ONBOARDING
from pvenix_lab.site.faults import CATALOGUE
from tests.sim.golden import Golden
from tests.sim.scenario import replay
from tests.sim.script import FAMILIES, Act, Script, script
from tests.sim.troubles import LEFT_OUT, TROUBLES

SEEDS: Final = int(os.environ.get("SIM_SEEDS", "200"))
FIRST: Final = int(os.environ.get("SIM_FIRST", "0"))
LAST_LINES: Final = 25

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_whatever_befalls_a_run_no_promise_is_broken(golden: Golden, seed: int) -> None:
    kept(golden, "life", seed)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS // 2))
def test_whatever_befalls_creating_resizing_and_retiring_no_vm_is_lost_doubled_or_somebody_else_s(
    golden: Golden, seed: int
) -> None:
    kept(golden, "provisioning", seed)


def kept(golden: Golden, family: str, seed: int) -> None:
    """Play a seed; a broken rule is told with the way to see it again."""
    play = replay(golden, FAMILIES[family](seed))
    if play.broken is not None:
        told = "\n".join(play.sim.log[-LAST_LINES:])
        again = f"python tools/sim.py --family {family} --seed {seed} --verbose"
        pytest.fail(f"{play.broken}\n\nreplay: {again}\n\n{told}", pytrace=False)


def test_without_trouble_every_step_of_an_onboarding_is_done_once(golden: Golden) -> None:
    play = replay(golden, Script(seed=1, acts=(Act(kind="onboard", hosts=("tappaas-litellm",)),)))
    assert play.broken is None
    ends = [(event.verb, event.status) for event in play.sim.events if isinstance(event, StepEnded)]
    assert [verb for verb, _ in ends] == [*ONBOARDING, "rebuild", "rebuild"]
    assert [status for _, status in ends[-2:]] == ["ok", "ok"]
    assert "ok" not in [status for verb, status in ends[:9] if verb != "place"]


def test_a_seed_tells_the_same_story_twice(golden: Golden) -> None:
    stories = []
    for _ in range(2):
        play = replay(golden, script(16))
        stories.append([(e.kind, e.host, e.step, getattr(e, "status", "")) for e in play.sim.events])
    assert stories[0] == stories[1]


def test_every_fault_of_the_catalogue_befalls_a_run_or_is_left_out_for_a_reason() -> None:
    assert {trouble.name for trouble in TROUBLES} & LEFT_OUT.keys() == set()
    assert CATALOGUE.keys() <= {trouble.name for trouble in TROUBLES} | LEFT_OUT.keys()


def test_the_seeds_reach_every_kind_of_trouble() -> None:
    """A simulation that nothing befalls proves nothing."""
    acts = [act for seed in range(1000) for family in FAMILIES.values() for act in family(seed).acts]
    kinds = Counter(act.kind for act in acts)
    strikes = Counter(strike.name for act in acts for strike in act.strikes)
    deaths = [death for act in acts for death in act.deaths]
    assert min(kinds[kind] for kind in ("onboard", "rebuild", "rollback", "create", "resize", "retire")) > 300
    assert strikes.keys() == {trouble.name for trouble in TROUBLES}
    assert min(strikes.values()) > 10
    assert len(deaths) > 3000
    assert {death.before for death in deaths} == {death.anew for death in deaths} == {True, False}
