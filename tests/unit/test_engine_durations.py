"""What a plan may be expected to take, by what its verbs took before."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.durations import Durations, Estimate, History, estimate
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.events import RunStarted, StepEnded
from pvenix.model.plan import PlayPlan, RunPlan, Task


def plan_of(*waves: tuple[str, ...], tasks: tuple[Task, ...] = (Task(verb="rebuild"),), forks: int = 32) -> RunPlan:
    play = PlayPlan(name="p", waves=waves, tasks=tasks)
    return RunPlan(title="t", plays=(play,), fleet="/f", forks=forks)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def a_run(store: RunStore, name: str, *, check: bool = False) -> RunDir:
    made = store.create(plan_of(("a1",)))
    run = RunDir(made.path.rename(made.path.with_name(name)))
    begun = RunStarted(run=run.run, seq=1, at="", title="t", hosts=("a1",), steps=(), pid=1, check=check)
    run.append_event(begun)
    return run


def step(run: RunDir, verb: str, host: str, seconds: float, status: str = "changed") -> None:
    run.append_event(StepEnded(run=run.run, seq=2, at="", host=host, verb=verb, status=status, seconds=seconds))


def test_the_newest_times_of_a_host_count_and_a_host_without_any_is_like_the_others(store: RunStore) -> None:
    old, new = a_run(store, "20260101-000000-aaaa"), a_run(store, "20260102-000000-aaaa")
    step(old, "rebuild", "a1", 100.0)
    step(new, "rebuild", "a1", 200.0)
    step(new, "rebuild", "b2", 30.0)
    times = History().read(store)
    assert (times.of("rebuild", "a1"), times.last("rebuild", "a1")) == (150.0, 200.0)
    assert times.of("rebuild", "c3") == pytest.approx(110.0)
    assert times.of("clone", "a1") is None


def test_a_host_without_any_times_is_like_those_of_the_role_that_tells_most_of_it(store: RunStore) -> None:
    run = a_run(store, "20260101-000000-aaaa")
    step(run, "rebuild", "web1", 10.0)
    step(run, "rebuild", "llm1", 600.0)
    roles = {"web1": ("base", "web"), "web2": ("base", "web"), "llm1": ("base", "vllm"), "llm2": ("base", "vllm")}
    times = History().read(store, {**roles, "new1": ("base", "new")})
    assert (times.of("rebuild", "llm2"), times.of("rebuild", "web2")) == (600.0, 10.0)
    assert times.of("rebuild", "new1") == times.of("rebuild", "stranger") == pytest.approx(305.0)
    assert times.last("rebuild", "llm2") is None
    assert estimate(plan_of(("llm2",)), times).seconds == 600.0


def test_what_found_everything_done_failed_or_only_looked_says_nothing_about_the_work(store: RunStore) -> None:
    run, looked = a_run(store, "20260101-000000-aaaa"), a_run(store, "20260102-000000-aaaa", check=True)
    step(run, "rebuild", "a1", 1.0, "ok")
    step(run, "rebuild", "a1", 2.0, "failed")
    step(looked, "rebuild", "a1", 3.0)
    step(run, "preflight", "a1", 4.0, "ok")
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"kind":"step.ended","verb":"rebuild","host":"a1","sec\n')
    times = History().read(store)
    assert times.of("rebuild", "a1") is None
    assert times.of("preflight", "a1") == 4.0


def test_a_run_that_went_on_is_read_again(store: RunStore) -> None:
    run, history = a_run(store, "20260101-000000-aaaa"), History()
    assert history.read(store).of("clone", "a1") is None
    step(run, "clone", "a1", 8.0)
    assert history.read(store).of("clone", "a1") == 8.0


def test_waves_come_one_after_the_other_and_the_hosts_of_one_side_by_side_as_many_as_forks_let() -> None:
    times = Durations(by_host={("rebuild", "slow"): (60.0,)}, by_verb={"rebuild": (10.0,)})
    assert estimate(plan_of(("a", "b", "slow")), times).seconds == 60.0
    assert estimate(plan_of(("a", "b"), ("slow",)), times).seconds == 70.0
    assert estimate(plan_of(("a", "b", "c"), forks=2), times).seconds == 20.0


def test_a_throttled_task_takes_at_least_its_share_and_one_for_all_is_paid_once() -> None:
    times = Durations(by_verb={"clone": (30.0,), "boot": (5.0,)})
    tasks = (Task(verb="clone", throttle=2), Task(verb="boot"))
    assert estimate(plan_of(("a", "b", "c", "d"), tasks=tasks), times).seconds == 60.0
    once = (Task(verb="clone", run_once=True), Task(verb="boot"))
    assert estimate(plan_of(("a", "b"), tasks=once, forks=1), times).seconds == 40.0


def test_a_verb_without_a_history_is_named_and_a_step_that_is_done_costs_nothing() -> None:
    times = Durations(by_verb={"rebuild": (10.0,)})
    tasks = (Task(verb="clone"), Task(verb="rebuild"))
    assert estimate(plan_of(("a",), tasks=tasks), times) == Estimate(seconds=10.0, unknown=("clone",))
    assert estimate(plan_of(("a",), tasks=tasks), times, done={("a", "0.1.rebuild")}).seconds == 0.0
