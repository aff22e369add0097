"""Runs are kept by number and age, whatever is open in any case; their output can be read again step by step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pvenix.engine.abandoned import Abandoned, mark_abandoned
from pvenix.engine.audit import AuditLog
from pvenix.engine.logparts import log_in_words, log_of
from pvenix.engine.retention import KEEP, OLDER_THAN, Retention, prunable, prune, prune_by_environment, retention
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.step import Step
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.events import HostEnded, RunEnded
from pvenix.model.outcome import Outcome, Status
from pvenix.model.plan import RunPlan
from tests.unit.engine_support import CHANGED, FakeVerb, bench, play

NOW = datetime(2026, 6, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path)


def old(store: RunStore, day: int, status: Status = Status.CHANGED, *, over: bool = True) -> RunDir:
    """A run of January 2026."""
    made = store.create(RunPlan(title="test", plays=(play("a1"),), fleet="/fleet"))
    run = RunDir(made.path.rename(made.path.with_name(f"202601{day:02d}-120000-0000")))
    run.append_event(HostEnded(run="r", seq=1, at="", host="a1", status=status.value))
    if over:
        run.append_event(RunEnded(run="r", seq=2, at="", exit_code=0, counts={}))
    return run


def names(runs: tuple[RunDir, ...]) -> list[int]:
    """The days of January that they are of."""
    return [int(run.run[6:8]) for run in runs]


@pytest.mark.parametrize(
    ("keep", "days", "gone"),
    [(0, 90, [1, 2, 3, 4]), (3, 90, [1]), (4, 0, []), (0, 177, [1, 2, 3]), (2, 177, [1, 2]), (0, 400, [])],
)
def test_a_run_goes_when_it_is_neither_among_the_newest_nor_young(
    store: RunStore, log: AuditLog, keep: int, days: int, gone: list[int]
) -> None:
    for day in (1, 2, 3, 4):
        old(store, day)
    policy = Retention(keep=keep, days=days)
    assert names(prunable(store, policy, now=NOW)) == gone
    assert [int(run[6:8]) for run in prune(store, policy, log, now=NOW)] == gone
    assert len(store.newest()) == 4 - len(gone)
    assert len(list(store.root.iterdir())) == 4 - len(gone)


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.WAITING, Status.UNREACHABLE])
def test_a_run_with_an_open_end_stays(store: RunStore, log: AuditLog, status: Status) -> None:
    old(store, 1, status)
    old(store, 2, Status.FAILED)
    assert names(prunable(store, Retention(keep=0, days=1), now=NOW)) == [2]


def test_runs_that_were_interrupted_are_at_work_or_abandoned_with_open_ends_stay(
    store: RunStore, log: AuditLog
) -> None:
    old(store, 1, over=False)
    at_work = old(store, 2)
    for day, seen, left in ((3, True, ("a unit",)), (4, False, ()), (5, True, ())):
        mark = Abandoned(at="", by="ada", seen=seen, left=left)
        mark_abandoned(old(store, day, Status.UNKNOWN, over=False).path, mark)
    (old(store, 6).path / "plan.json").write_text("{}")
    with at_work.locked():
        assert [run[6:8] for run in prune(store, Retention(keep=0, days=1), log, now=NOW)] == ["05"]


def test_what_a_killed_pruning_left_is_swept_up(store: RunStore, log: AuditLog) -> None:
    hidden = old(store, 1).path.rename(store.root / ".pruned-20260101-120000-0000")
    assert store.newest() == ()
    prune(store, Retention(), log, now=NOW)
    assert not hidden.exists()


def test_the_environment_sets_the_policy_and_the_command_line_overrules_it() -> None:
    assert retention({}) == Retention(keep=200, days=90)
    assert retention({KEEP: "5", OLDER_THAN: "7d"}) == Retention(keep=5, days=7)
    assert retention({KEEP: "5", OLDER_THAN: "7"}, keep=0, older_than="30d") == Retention(keep=0, days=30)


@pytest.mark.parametrize("wrong", [{KEEP: "many"}, {KEEP: "-1"}, {OLDER_THAN: "3 weeks"}, {OLDER_THAN: ""}])
def test_a_setting_that_is_no_number_is_told_and_stops_no_run(
    store: RunStore, log: AuditLog, wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is no number"):
        retention(wrong)
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    old(store, 1)
    prune_by_environment(store, log)
    assert len(store.newest()) == 1


# --- output ----------------------------------------------------------------------------------------------------------


def test_a_step_s_output_is_every_byte_of_it_and_nothing_else(tmp_path: Path) -> None:
    async def prints(step: Step) -> Outcome:
        step.sends("ssh", f"{step.verb} it")
        step.output(f"{step.verb} says ü\n--- 0.1.boot ---\nno line end")
        return CHANGED

    verb = FakeVerb({"a1": prints})
    one = bench(tmp_path, play("a1", verbs=("clone", "boot", "build")), verbs=dict.fromkeys(("clone", "boot"), verb))
    assert one.go() == ExitCode.OK
    boot = "--- 0.1.boot ---\n$ boot it\nboot says ü\n--- 0.1.boot ---\nno line end\n".encode()
    assert log_of(one.run, "a1", "0.1.boot") == log_of(one.run, "a1", "boot") == boot
    parts = [log_of(one.run, "a1", step) for step in ("clone", "boot", "build")]
    assert b"".join(parts) == log_of(one.run, "a1") == one.run.log_path("a1").read_bytes()


def test_a_person_reads_each_step_s_head_in_words_and_what_a_host_prints_as_it_is(tmp_path: Path) -> None:
    async def prints(step: Step) -> Outcome:
        step.output("--- 0.0.clone ---\n")
        return CHANGED

    verb = FakeVerb({"a1": prints})
    one = bench(tmp_path, play("a1", verbs=("clone", "boot")), verbs=dict.fromkeys(("clone", "boot"), verb))
    one.go()
    assert log_in_words(one.run, "a1").decode().splitlines() == [
        "--- 1/2 clone ---",
        "--- 0.0.clone ---",
        "--- 2/2 boot ---",
        "--- 0.0.clone ---",
    ]
    assert log_in_words(one.run, "a1", "boot") == b"--- 2/2 boot ---\n--- 0.0.clone ---\n"


def test_a_log_of_a_host_that_has_begun_no_step_is_shown_as_it_is(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("clone",)))
    one.run.log_path("a1").parent.mkdir(parents=True, exist_ok=True)
    one.run.log_path("a1").write_text("early\n")
    assert log_in_words(one.run, "a1") == b"early\n"


def test_a_step_that_was_tried_twice_comes_with_both_tries(tmp_path: Path) -> None:
    async def prints(step: Step) -> Outcome:
        step.output(f"try {len(verb.applied)}\n")
        return CHANGED if len(verb.applied) > 1 else Outcome(status=Status.FAILED)

    verb = FakeVerb({"a1": prints})
    one = bench(tmp_path, play("a1", verbs=("clone", "boot")), verbs={"boot": verb})
    one.go()
    one.go(resume=True)
    assert log_of(one.run, "a1", "boot") == b"--- 0.1.boot ---\ntry 1\n--- 0.1.boot ---\ntry 2\n"


def test_a_step_that_a_host_never_had_is_answered_with_those_that_it_had(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("clone", "boot")))
    one.go()
    with pytest.raises(UsageError, match="no step 'bout'") as wrong:
        log_of(one.run, "a1", "bout")
    assert "0.1.boot" in wrong.value.hint
