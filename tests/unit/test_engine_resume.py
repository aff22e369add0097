"""Going on after a process died: what is finished is not done again, what was under way is handed to the verb."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pvenix.engine.journal import SqliteJournal
from pvenix.engine.step import Step
from pvenix.model.errors import ExitCode
from pvenix.model.events import RunStarted
from pvenix.model.outcome import Outcome, Status
from tests.sim.virtual import run_virtual
from tests.unit.engine_support import CHANGED, FAILED, Bench, FakeVerb, StillJournal, bench, play

VERBS = ("clone", "boot", "build")


def killed(one: Bench, after_s: float) -> None:
    """Run and die: everything stops where it is."""

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.execute())
            await asyncio.sleep(after_s)
            task.cancel()

    run_virtual(run())


def clones() -> Outcome:
    return Outcome(status=Status.CHANGED, facts={"vmid": "201", "node": "n1"})


def test_finished_steps_are_not_done_again_and_their_facts_are_taken_over(tmp_path: Path) -> None:
    clone, boot = FakeVerb({"a1": clones()}), FakeVerb()
    one = bench(tmp_path, play("a1", verbs=VERBS), verbs={"clone": clone, "boot": boot})
    killed(one, 1.5)
    assert (clone.applied, boot.applied) == (["a1"], ["a1"])
    assert one.go(resume=True) == ExitCode.OK
    assert (clone.applied, clone.probed, boot.applied) == (["a1"], ["a1"], ["a1", "a1"])
    assert boot.steps["a1"].facts == {"vmid": "201", "node": "n1"}
    assert [event.resumed for event in one.events if isinstance(event, RunStarted)] == [False, True]


def test_intent_and_evidence_without_a_result_are_handed_to_the_verb(tmp_path: Path) -> None:
    async def begin(step: Step) -> Outcome:
        if not step.known:
            await step.intend(vmid="201")
            step.evidence(upid="UPID:x")
            await asyncio.Event().wait()
        return CHANGED

    clone = FakeVerb({"a1": begin})
    one = bench(tmp_path, play("a1", verbs=("clone",)), verbs={"clone": clone})
    killed(one, 10)
    assert one.go(resume=True) == ExitCode.OK
    assert clone.steps["a1"].known == {"vmid": "201", "upid": "UPID:x"}


def test_known_is_of_this_very_host_and_step(tmp_path: Path) -> None:
    async def begin(step: Step) -> Outcome:
        await step.intend(secret_of=f"{step.host}.{step.verb}")
        await asyncio.sleep(1000 if step.verb == "boot" else 1)
        return CHANGED

    actions = {"a1": begin, "b2": begin}
    boot = FakeVerb(actions)
    one = bench(tmp_path, play("a1", "b2", verbs=VERBS), verbs={"clone": FakeVerb(actions), "boot": boot})
    killed(one, 10)
    boot.actions = {}
    one.go(resume=True)
    assert {host: step.known for host, step in boot.steps.items()} == {
        "a1": {"secret_of": "a1.boot"},
        "b2": {"secret_of": "b2.boot"},
    }


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN, Status.WAITING, Status.UNREACHABLE])
def test_failed_and_waiting_steps_are_tried_again(tmp_path: Path, status: Status) -> None:
    boot = FakeVerb({"a1": Outcome(status=status)})
    one = bench(tmp_path, play("a1", verbs=VERBS), verbs={"boot": boot})
    assert one.go() != ExitCode.OK
    boot.actions = {}
    assert one.go(resume=True) == ExitCode.OK
    assert boot.applied == ["a1", "a1"]


def test_the_last_result_of_a_step_counts(tmp_path: Path) -> None:
    boot = FakeVerb({"a1": FAILED})
    one = bench(tmp_path, play("a1", verbs=VERBS), verbs={"boot": boot})
    one.go()
    boot.actions = {}
    one.go(resume=True)
    one.go(resume=True)
    assert boot.applied == ["a1", "a1"]


def test_numbers_of_events_go_on_where_the_dead_process_stopped(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=VERBS))
    killed(one, 1.5)
    one.go(resume=True)
    assert [event.seq for event in one.run.events()[0]] == list(range(1, len(one.events) + 1))


def test_a_run_on_the_real_journal_resumes_like_one_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    clone, boot = FakeVerb({"a1": clones()}), FakeVerb()
    one = bench(tmp_path, play("a1", verbs=VERBS), verbs={"clone": clone, "boot": boot})
    with StillJournal(path) as journal:
        one.journal = journal
        killed(one, 1.5)
    with StillJournal(path) as journal:
        one.journal = journal
        assert one.go(resume=True) == ExitCode.OK
        assert isinstance(journal, SqliteJournal)
        assert [(entry.step, entry.what) for entry in journal.entries()] == [
            ("0.0.clone", "result"),
            ("0.1.boot", "result"),
            ("0.2.build", "result"),
        ]
    assert clone.applied == ["a1"]
    assert boot.steps["a1"].facts["vmid"] == "201"


def test_killed_at_any_moment_each_step_ends_well_exactly_once(tmp_path: Path) -> None:
    for tenth in range(1, 45, 3):
        verbs = {name: FakeVerb(seconds=0.7) for name in VERBS}
        one = bench(tmp_path / str(tenth), play("a1", "b2", serial=1, verbs=VERBS), verbs=verbs)
        killed(one, tenth / 10)
        assert one.go(resume=True) == ExitCode.OK
        results = [(row.host, row.step) for row in one.journal.entries() if row.what == "result"]
        assert len(results) == len(set(results)) == 6
