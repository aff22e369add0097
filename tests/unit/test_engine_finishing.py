"""What runs have left to do: the one that is gone on with, and whom a new run does again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.abandoned import Abandoned, mark_abandoned
from pvenix.engine.finishing import again, to_finish
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.errors import UsageError
from pvenix.model.events import HostEnded, Progress, RunEnded
from pvenix.model.outcome import Status
from pvenix.model.plan import RunPlan
from tests.unit.engine_support import play


class Runs:
    """Runs with ends that a test gives them, each a second younger than the one before."""

    def __init__(self, root: Path) -> None:
        self.store = RunStore(root)
        self.count = 0

    def add(self, *, over: bool = True, check: bool = False, **ends: Status) -> RunDir:
        plan = RunPlan(
            title="test",
            plays=(play(*ends, serial=1), play("z9", *ends, verbs=("boot",)) if "z9" in ends else play(*ends)),
            fleet="/fleet",
            check=check,
            decisions={host: {"node": "n1"} for host in ends},
        )
        made = self.store.create(plan)
        self.count += 1
        run = RunDir(made.path.rename(made.path.with_name(f"20260101-0000{self.count:02d}-0000")))
        run.append_event(Progress(run="r", seq=1, at="", text="at work"))
        for seq, (host, status) in enumerate(ends.items(), start=2):
            if over or status is not Status.UNKNOWN:  # stands for a host that the process did not come to
                run.append_event(HostEnded(run="r", seq=seq, at="", host=host, status=status.value))
        if over:
            run.append_event(RunEnded(run="r", seq=9, at="", exit_code=1, counts={}))
        return run


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


def name(run: RunDir | None) -> str:
    return "" if run is None else run.run


def give_up(run: RunDir) -> None:
    mark_abandoned(run.path, Abandoned(at="2026-01-01", by="ada", seen=True))


def test_without_runs_there_is_nothing_to_finish(runs: Runs) -> None:
    assert to_finish(runs.store) is None
    runs.add(a1=Status.CHANGED, b2=Status.OK)
    assert to_finish(runs.store) is None


def test_the_newest_run_with_something_to_finish_is_found_behind_newer_ones_that_ended_well(runs: Runs) -> None:
    runs.add(a1=Status.FAILED)
    wanted = runs.add(b2=Status.FAILED)
    runs.add(c3=Status.CHANGED)
    assert name(to_finish(runs.store)) == wanted.run


@pytest.mark.parametrize(
    "status", [Status.FAILED, Status.UNREACHABLE, Status.UNKNOWN, Status.WAITING, Status.CANCELLED, Status.ROLLED_BACK]
)
def test_every_end_that_is_not_good_is_something_to_finish(runs: Runs, status: Status) -> None:
    wanted = runs.add(a1=Status.CHANGED, b2=status)
    assert name(to_finish(runs.store)) == wanted.run


def test_a_failure_is_history_once_a_newer_run_came_to_the_host(runs: Runs) -> None:
    older = runs.add(a1=Status.FAILED, b2=Status.FAILED)
    runs.add(a1=Status.CHANGED)
    assert name(to_finish(runs.store)) == older.run
    runs.add(b2=Status.CHANGED)
    assert to_finish(runs.store) is None


def test_a_run_whose_process_died_is_to_be_finished_whatever_came_after_it(runs: Runs) -> None:
    dead = runs.add(a1=Status.UNKNOWN, over=False)
    runs.add(a1=Status.CHANGED)
    assert name(to_finish(runs.store)) == dead.run


def test_runs_that_only_look_are_at_work_abandoned_or_unreadable_are_passed_over(runs: Runs) -> None:
    wanted = runs.add(a1=Status.FAILED)
    runs.add(b2=Status.UNKNOWN, over=False, check=True)
    give_up(runs.add(c3=Status.FAILED))
    (runs.add(d4=Status.FAILED).path / "plan.json").write_text("{}")
    with runs.add(e5=Status.UNKNOWN, over=False).locked():
        assert name(to_finish(runs.store)) == wanted.run


def test_a_new_run_is_for_the_hosts_that_failed_with_the_rest_of_the_plan_as_it_was(runs: Runs) -> None:
    run = runs.add(a1=Status.CHANGED, b2=Status.FAILED, c3=Status.UNREACHABLE, d4=Status.UNKNOWN, e5=Status.CANCELLED)
    plan = again(run)
    assert plan.hosts == ("b2", "c3", "d4")
    assert plan.plays[0].waves == (("b2",), ("c3",), ("d4",))
    assert plan.plays[0].tasks == run.plan().plays[0].tasks
    assert (plan.origin, sorted(plan.decisions)) == (run.run, ["b2", "c3", "d4"])
    assert RunPlan.from_json(plan.to_json()) == plan


def test_plays_without_such_a_host_are_left_out(runs: Runs) -> None:
    run = runs.add(z9=Status.CHANGED, a1=Status.FAILED)
    assert [each.waves for each in again(run).plays] == [(("a1",),), (("a1",),)]


def test_there_is_no_new_run_when_nobody_failed_the_run_is_at_work_or_nobody_knows_yet(runs: Runs) -> None:
    with pytest.raises(UsageError, match="no host of run"):
        again(runs.add(a1=Status.CHANGED))
    dead = runs.add(a1=Status.UNKNOWN, over=False)
    with pytest.raises(UsageError, match="has not ended"):
        again(dead)
    with dead.locked(), pytest.raises(UsageError, match="being executed"):
        again(dead)


def test_an_abandoned_run_is_done_again_for_everybody_who_did_not_end_well(runs: Runs) -> None:
    run = runs.add(a1=Status.CHANGED, b2=Status.UNKNOWN, c3=Status.FAILED, over=False)
    give_up(run)
    assert again(run).hosts == ("b2", "c3")
