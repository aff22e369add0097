"""Where each host goes back to, and what a plan reaches, without a screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pvenix.engine.durations import Estimate
from pvenix.engine.ports import Commit
from pvenix.lifecycle.effects import Effects
from pvenix.lifecycle.gates import Gate
from pvenix.model.generation import Generation
from pvenix.model.names import CommitId
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix_tui.intents.goingback import rollback_intent
from pvenix_tui.models.brings import brings_lines
from pvenix_tui.models.effects import Method, effect_lines
from pvenix_tui.models.lines import plain
from pvenix_tui.models.plan import Tier, gate_lines, reach_of, takes_line
from pvenix_tui.models.rollback import RollbackModel, generation_lines, generation_words, summary_lines
from tests.tui.fake_backend import FakeBackend


def generation(
    number: int,
    revision: str = "",
    *,
    current: bool = False,
    running: bool = False,
    pinned: bool = False,
    boot_default: bool = False,
) -> Generation:
    return Generation(
        number=number, date="2026-11-01 00:00:00", current=current, revision=revision, path=f"/{number}",
        running=running, pinned=pinned, boot_default=boot_default,
    )  # fmt: skip


def model_of(**hosts: tuple[Generation, ...]) -> RollbackModel:
    model = RollbackModel.of(hosts)
    for host, found in hosts.items():
        model.load(host, found)
    return model


def targets(model: RollbackModel) -> dict[str, int]:
    return {host: aim.number for host, aim in model.aims.items()}


A = (generation(5, "old"), generation(6, "old"), generation(7, "new", current=True))


def test_the_previous_generation_is_the_one_before_what_runs_and_not_a_newer_one() -> None:
    back_on_6 = (generation(5), generation(6, current=True), generation(7))
    assert targets(model_of(a=A, b=back_on_6)) == {"a": 6, "b": 5}


def test_what_runs_counts_and_not_what_the_profile_names() -> None:
    staged = (generation(6, running=True), generation(7, current=True))
    model = model_of(a=staged)
    assert model.hosts["a"].now == staged[0]
    assert targets(model) == {}
    assert model.change("a", older=False) == ""
    assert targets(model) == {"a": 7}


def test_older_and_newer_pass_over_what_runs_and_end_where_there_is_no_more() -> None:
    model = model_of(a=A)
    assert model.change("a", older=True) == ""
    assert targets(model) == {"a": 5}
    assert model.change("a", older=True) == "a has no older generation"
    assert model.change("a", older=False) == ""
    assert model.change("a", older=False) == "a has no newer generation"
    assert targets(model) == {"a": 6}


def test_the_same_commit_is_the_newest_generation_of_it_and_a_host_without_one_stays() -> None:
    other = (generation(1, "old"), generation(2, "else", current=True))
    none = (generation(1, "other"), generation(2, "new", current=True))
    model = model_of(a=A, b=other, c=none)
    assert model.same_commit("a") == ""
    assert targets(model) == {"a": 6, "b": 1}
    assert dict(model.left_as_they_are())["c"] == "no generation of old"


def test_a_host_that_was_not_read_goes_nowhere_and_keeps_no_other() -> None:
    model = RollbackModel.of(("a", "b", "c"))
    model.load("a", A)
    model.fail("b", "no answer")
    assert (targets(model), model.waiting) == ({"a": 6}, 1)
    assert model.left_as_they_are() == [("b", "no answer"), ("c", "being read")]
    assert model.change("b", older=True) == "no answer"


def test_why_a_host_stays_does_not_name_the_host_again() -> None:
    model = RollbackModel.of(("a",))
    model.fail("a", "a has no VM, so no address")
    assert model.left_as_they_are() == [("a", "has no VM, so no address")]


def test_a_generations_version_has_its_whole_date() -> None:
    dated = replace(generation(5), nixos="25.11.20260510.8fd9daa")
    lines = generation_lines(model_of(a=(dated,)).hosts["a"], 0.0)
    assert "  25.11.20260510  " in plain(lines[1])


def test_reading_again_keeps_what_was_chosen() -> None:
    model = model_of(a=A)
    model.change("a", older=True)
    model.load("a", A)
    assert targets(model) == {"a": 5}


def test_a_plan_is_of_what_was_chosen_whoever_answers_afterwards() -> None:
    model = RollbackModel.of(("a", "b"))
    model.load("a", A)
    planned = model.as_chosen()
    model.load("b", A)
    model.change("a", older=True)
    assert targets(planned) == {"a": 6}
    assert targets(model) == {"a": 5, "b": 6}
    model.failed["a", 6] = "no answer"
    assert "no answer" in "\n".join(plain(line) for line in summary_lines(planned))


def test_a_plan_that_waits_says_how_far_the_reading_is(tmp_path: Path) -> None:
    model = model_of(a=A, b=A)
    [reading] = [each for each in rollback_intent(FakeBackend(tmp_path), model).readings if each.needed]
    assert reading.waits() == "what changes on each host is being read (0 of 2)"
    model.failed["a", 6] = "no answer"
    assert "(1 of 2)" in reading.waits()


def test_what_a_generation_is_stands_in_words() -> None:
    kept = generation(5, "old", pinned=True, boot_default=True)
    model = model_of(a=(kept, generation(7, current=True, running=True)))
    assert generation_words(model.hosts["a"], kept) == "boots next, pinned, goes here"
    assert generation_words(model.hosts["a"], model.hosts["a"].generations[0]) == "runs now"


def test_the_plan_names_hosts_whose_changes_nobody_knows() -> None:
    model = model_of(a=A, b=A)
    model.effects["a", 6] = Effects(host="a", number=6, old="/7", new="/6", packages=("vllm: 2 -> 1",))
    model.failed["b", 6] = "no answer"
    text = "\n".join(plain(line) for line in summary_lines(model))
    assert "a  generation 7 to 6" in text
    assert "vllm: 2 -> 1" in text
    assert "what changes is not known: no answer" in text


@pytest.mark.parametrize(
    ("found", "method", "words"),
    [
        (Effects(host="a", number=1, old="", new="", units=None), Method.SWITCH, "did not say"),
        (Effects(host="a", number=1, old="", new="", units=(("stop", ("x",)),)), Method.SWITCH, "stop x"),
        (
            Effects(host="a", number=1, old="", new="", units=(("stop", ("x",)),)),
            Method.BOOT,
            "none before the next boot",
        ),
        (Effects(host="a", number=1, old="", new="", history="gone"), Method.SWITCH, "unknown: gone"),
        (
            Effects(host="a", number=1, old="", new="", commits=(("c" * 40, "Fix"),), forward=True),
            Method.SWITCH,
            "brought",
        ),
    ],
)
def test_effects_say_what_is_known_and_what_is_not(found: Effects, method: Method, words: str) -> None:
    assert words in "\n".join(plain(line) for line in effect_lines(found, method=method))


def plan_of(verb: str, *hosts: str, check: bool = False) -> RunPlan:
    play = PlayPlan(name=verb, waves=(hosts,), tasks=(Task(verb=verb),))
    return RunPlan(title=verb, plays=(play,), fleet="/f", check=check)


@pytest.mark.parametrize(
    ("verb", "hosts", "critical", "tier", "why"),
    [
        ("rebuild", ("a",), (), Tier.KEY, "one host"),
        ("rebuild", ("a", "b"), (), Tier.READ, "several hosts (2)"),
        ("rebuild", ("a",), ("a",), Tier.READ, "production (a)"),
        ("rebuild", ("a", "b", "c"), ("a", "b", "c"), Tier.TYPED, "3 production hosts"),
        ("rebuild", ("a", "b", "c"), ("a", "b"), Tier.READ, "production (a, b)"),
        ("reboot", ("a",), (), Tier.READ, "a reboot"),
        ("collect-garbage", ("a",), (), Tier.READ, "not kept"),
        ("destroy", ("a",), (), Tier.TYPED, "destroys"),
        ("preflight", ("a", "b"), ("a", "b"), Tier.FREE, "changes nothing"),
    ],
)
def test_how_far_a_plan_reaches_is_told_with_the_reason(
    verb: str, hosts: tuple[str, ...], critical: tuple[str, ...], tier: Tier, why: str
) -> None:
    reach = reach_of(plan_of(verb, *hosts), critical)
    assert reach.tier is tier
    assert why in reach.why
    assert reach_of(plan_of(verb, *hosts, check=True), critical).tier is Tier.FREE


def test_a_time_is_told_only_as_far_as_it_is_known() -> None:
    assert "about 01:05" in plain(takes_line(Estimate(seconds=65.0)))
    assert "not counted: clone never worked here yet" in plain(takes_line(Estimate(seconds=65.0, unknown=("clone",))))
    assert "not known" in plain(takes_line(Estimate(seconds=0.0, unknown=("clone",))))


def test_what_is_sure_to_be_waited_for_stands_first_with_all_its_hosts() -> None:
    found = [
        Gate(host="a", text="perhaps", sure=False),
        *(Gate(host=host, text="surely", sure=True) for host in "abcd"),
    ]
    lines = [plain(line) for line in gate_lines(found)]
    assert lines == ["Waits    a, b, c and 1 more: surely", "         a: perhaps"]


def commit(name: str) -> Commit:
    return Commit(id=CommitId(name * 8), author="ana", at="", subject=f"Change {name}")


def test_a_rebuild_says_which_commits_it_brings_to_whom() -> None:
    main = [commit(name) for name in ("fffff", "eeeee", "ddddd", "ccccc", "bbbbb", "aaaaa")]
    runs = {"a": main[2].id, "b": main[2].id, "c": main[0].id, "d": "99999" * 8, "e": ""}
    lines = [plain(line).strip() for line in brings_lines(main, runs)]
    assert lines[0] == "Brings   fffffff from ddddddd, 2 commits (a, b)"
    assert "nothing new: fffffff runs (c)" in lines
    assert "fffffff from 9999999, which is none of main's newest commits (d)" in lines
    assert "fffffff; what runs is not known (e)" in lines
    assert lines[-2:] == ["fffffff Change fffff", "eeeeeee Change eeeee"]
    assert plain(brings_lines(main, {"a": main[5].id})[-1]).strip() == "and 1 more"
    assert brings_lines([], runs) == []
