"""Plans on disk, and verbs as plans and playbooks may name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.lifecycle import table
from pvenix.model.plan import RunPlan
from pvenix.model.verbs import BUILDING, ONBOARDING, VERBS, Danger
from pvenix.wiring.plans import Plans

LONGEST_S = 9000
"""A build may take 6900 s, and a template is then sealed, switched off and converted by the same verb: half an hour more."""


def test_every_verb_of_the_model_has_its_functions_and_the_other_way_round() -> None:
    assert set(table._MODULES) == set(VERBS)


def test_the_onboarding_is_made_of_verbs_that_destroy_nothing() -> None:
    assert all(VERBS[name].danger is not Danger.DESTROYS for name in ONBOARDING)


@pytest.mark.parametrize("spec", VERBS.values(), ids=list(VERBS))
def test_every_verb_has_an_end_and_a_help_of_one_line(spec: object) -> None:
    verb = VERBS[spec.name]  # type: ignore[attr-defined]
    assert 0 < verb.timeout_s <= LONGEST_S
    assert verb.help
    assert "\n" not in verb.help


def test_what_destroys_wants_the_name_typed() -> None:
    for spec in VERBS.values():
        if spec.danger is Danger.DESTROYS:
            assert spec.args["confirm"].required


def test_a_plan_of_an_earlier_version_names_no_inventory() -> None:
    document = RunPlan(title="t", plays=(), fleet="/f", inventory="/i/hosts.yaml").to_json()
    assert RunPlan.from_json(document).inventory == "/i/hosts.yaml"
    del document["inventory"]
    assert RunPlan.from_json({**document, "command": []}).inventory == ""


@pytest.mark.parametrize("verb", BUILDING)
def test_what_builds_on_several_hosts_looks_at_all_of_them_in_a_play_before(tmp_path: Path, verb: str) -> None:
    plans = Plans(tmp_path, inventory=None, extra={})
    plan = plans.plan_verb(verb, ("a1", "b2"))
    assert [[task.verb for task in play.tasks] for play in plan.plays] == [["preflight"], [verb]]
    assert [play.waves for play in plan.plays] == [(("a1", "b2"),)] * 2
    assert plan.title.startswith(verb)
    assert [play.tasks[0].verb for play in plans.plan_verb(verb, ("a1",)).plays] == [verb]
    assert [play.tasks[0].verb for play in plans.plan_verb("boot", ("a1", "b2")).plays] == ["boot"]
