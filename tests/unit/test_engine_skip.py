"""A person lets a host go on without a step: at a pause, after a failure, and never where later steps need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pvenix.engine.audit import AuditLog
from pvenix.engine.audittrail import WHO, AuditTrail
from pvenix.engine.ports import Entry
from pvenix.engine.skipping import refusal, standing
from pvenix.engine.step import Step
from pvenix.model.errors import ExitCode
from pvenix.model.events import StepEnded, StepEvidence, StepStarted
from pvenix.model.outcome import Outcome, Status
from pvenix.model.plan import RunPlan, Task
from pvenix.model.verbs import ONBOARDING, VERBS
from tests.unit.engine_support import CHANGED, FAILED, Bench, FakeVerb, StillJournal, bench, play, raising
from tests.unit.test_engine_requests import until, with_requests


def asks(host: str, step: str, by: str = "ana") -> Callable[[Bench], Coroutine[Any, Any, None]]:
    async def script(one: Bench) -> None:
        await until(one, "step.waiting")
        one.run.request("skip", host, step=step, by=by)
        await asyncio.sleep(1)
        one.run.request("continue")
        await asyncio.sleep(5)
        one.run.request("continue")

    return script


def test_a_step_that_waits_for_its_turn_is_skipped_and_the_next_one_waits_for_its_own(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("build", "rebuild")), step=True)
    assert with_requests(one, asks("a1", "0.0.build")) == ExitCode.OK
    assert one.steps() == [("a1", "build", "skipped"), ("a1", "rebuild", "changed")]
    assert one.ends() == {"a1": "changed"}
    [end] = [event.summary for event in one.events if event.kind == "host.ended"]  # type: ignore[attr-defined]
    assert end == "did it; without build, skipped by a person"


def test_a_skipped_step_is_in_the_journal_with_who_skipped_it(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("build", "rebuild")), step=True)
    with_requests(one, asks("a1", "0.0.build"))
    [row] = [row for row in one.journal.entries() if row.step == "0.0.build"]
    assert (row.what, dict(row.data)) == (
        "result", {"status": "skipped", "summary": "skipped by ana", "by": "ana"},
    )  # fmt: skip


def test_what_the_later_steps_need_is_not_skipped_and_the_run_says_why(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("cloudinit", "boot")), step=True)
    assert with_requests(one, asks("a1", "0.0.cloudinit")) == ExitCode.OK
    assert ("a1", "cloudinit", "changed") in one.steps()
    assert "0.0.cloudinit is not skipped: the VM would boot without user, keys and address" in one.told()


def test_a_skip_that_comes_too_late_for_its_step_skips_nothing(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("build", "rebuild")), step=True)
    with_requests(one, asks("a1", "0.1.rebuild"))
    assert one.steps() == [("a1", "build", "changed"), ("a1", "rebuild", "changed")]
    assert "0.1.rebuild is not skipped: it stands at 0.0.build by now" in one.told()


def test_a_failed_step_is_skipped_while_other_hosts_are_at_work(tmp_path: Path) -> None:
    async def skip(one: Bench) -> None:
        await until(one, "host.ended")
        one.run.request("skip", "a1", step="0.0.build", by="ana")

    verbs = {"build": FakeVerb({"a1": FAILED}), "rebuild": FakeVerb(seconds=30)}
    one = bench(tmp_path, play("a1", "b2", verbs=("build", "rebuild")), verbs=verbs)
    assert with_requests(one, skip) == ExitCode.OK
    assert ("a1", "build", "skipped") in one.steps()
    assert one.ends() == {"a1": "changed", "b2": "changed"}


def test_resume_remembers_what_was_skipped(tmp_path: Path) -> None:
    verbs = {"build": FakeVerb(), "rebuild": FakeVerb({"a1": FAILED})}
    one = bench(tmp_path, play("a1", verbs=("build", "rebuild")), verbs=verbs, step=True)
    with_requests(one, asks("a1", "0.0.build"))
    one.plan = one.runner.plan if one.runner else one.plan
    verbs["rebuild"].actions = {"a1": CHANGED}
    one.events.clear()

    async def resumed() -> ExitCode:
        async with asyncio.TaskGroup() as group:
            run = group.create_task(one.execute(resume=True))
            group.create_task(go_on(one))
        return run.result()

    async def go_on(one: Bench) -> None:
        await until(one, "step.waiting")
        one.run.request("continue")

    from tests.sim.virtual import run_virtual

    assert run_virtual(resumed()) == ExitCode.OK
    assert verbs["build"].applied == []
    assert one.steps() == [("a1", "rebuild", "changed")]
    [end] = [event.summary for event in one.events if event.kind == "host.ended"]  # type: ignore[attr-defined]
    assert "without build" in end


def test_a_step_whose_effect_may_be_under_way_is_looked_at_and_not_skipped() -> None:
    plan = RunPlan(title="t", plays=(play("a1", verbs=("build", "rebuild")),), fleet="/f")
    begun = Entry(seq=1, host="a1", step="0.0.build", what="intent", data={"unit": "u"})
    lost = Entry(seq=2, host="a1", step="0.0.build", what="result", data={"status": "unknown"})
    failed = Entry(seq=2, host="a1", step="0.0.build", what="result", data={"status": "failed"})
    assert "may still be under way" in refusal(plan, "a1", "0.0.build", (begun,))
    assert "may still be under way" in refusal(plan, "a1", "0.0.build", (begun, lost))
    assert refusal(plan, "a1", "0.0.build", (begun, failed)) == ""
    assert refusal(plan, "a1", "0.0.build", (lost,)) == "", "nothing was begun: the host did not answer"


def test_a_host_stands_at_its_first_step_without_a_good_end() -> None:
    plan = RunPlan(title="t", plays=(play("b2"), play("a1", verbs=("build", "rebuild"))), fleet="/f")
    ended = Entry(seq=1, host="a1", step="1.0.build", what="result", data={"status": "changed"})
    at = standing(plan, "a1", (ended,))
    assert at is not None
    assert at.step == "1.1.rebuild"
    done = Entry(seq=2, host="a1", step="1.1.rebuild", what="result", data={"status": "ok"})
    assert standing(plan, "a1", (ended, done)) is None
    assert refusal(plan, "a1", "1.1.rebuild", (ended, done)) == "no step of it is left"
    assert refusal(plan, "c3", "x", ()) == "it is not in this run"


def test_what_is_done_once_for_all_is_skipped_for_nobody() -> None:
    plan = RunPlan(title="t", plays=(play("a1", "b2", tasks=(Task(verb="build", run_once=True),)),), fleet="/f")
    assert refusal(plan, "a1", "0.0.build", ()) == "it is done once for all hosts"


def test_of_an_onboarding_only_what_later_steps_do_themselves_may_be_skipped() -> None:
    assert [verb for verb in ONBOARDING if not VERBS[verb].unskippable] == ["place", "hardware", "build", "rebuild"]


@pytest.mark.parametrize("ending", [CHANGED, FAILED, raising(RuntimeError("boom"))])
def test_events_tell_a_steps_limit_and_what_shows_its_effect(tmp_path: Path, ending: object) -> None:
    async def act(step: Step) -> Outcome:
        await step.intend(vmid="210", text="x" * 1000)
        step.evidence(upid="UPID:n:1")
        if isinstance(ending, Outcome):
            return Outcome(status=ending.status, facts={"address": "10.0.0.9"})
        assert callable(ending)
        return await ending(step)  # type: ignore[no-any-return]

    one = bench(tmp_path, play("a1", verbs=("boot",)), verbs={"boot": FakeVerb({"a1": act})})
    one.go()
    assert [event.limit_s for event in one.events if isinstance(event, StepStarted)] == [VERBS["boot"].timeout_s]
    noted = [event.data for event in one.events if isinstance(event, StepEvidence)]
    assert noted[:2] == [{"vmid": "210"}, {"upid": "UPID:n:1"}]
    assert noted[2:] == ([{"address": "10.0.0.9"}] if isinstance(ending, Outcome) else [])
    assert isinstance(one.events[-3], StepEnded)
    assert Status(one.events[-3].status).value == one.events[-3].status


def test_the_audit_log_says_who_skipped_what(tmp_path: Path) -> None:
    log, at = AuditLog(tmp_path), "2026-01-01T00:00:00.000Z"
    trail = AuditTrail(log, "20260101-000000-abcd")
    by_person = {"status": "skipped", "summary": "skipped by ana", "by": "ana"}
    by_itself = {"status": "skipped", "summary": "it is cloned"}
    trail.committed([
        Entry(seq=1, host="a1", step="0.2.create", what="result", data=by_itself, at=at),
        Entry(seq=2, host="a1", step="0.8.build", what="result", data=by_person, at=at),
    ])  # fmt: skip
    [line] = log.records()
    assert (line["host"], line["verb"], line["outcome"], line["about"]) == ("a1", "build", "skipped", "skipped by ana")


@pytest.mark.parametrize(("by", "git"), [("ana", ""), ("ada", "Ada <ada@x>")])
def test_a_skip_that_was_asked_of_a_run_at_work_names_who_asked_and_not_whose_run_it_is(
    tmp_path: Path, by: str, git: str
) -> None:
    one, log = bench(tmp_path, play("a1", verbs=("build", "rebuild")), step=True), AuditLog(tmp_path)
    with StillJournal(one.run.journal_path, trail=AuditTrail(log, one.run.run)) as journal:
        journal.evidence("", WHO, operator="ada", os_user="ada", git="Ada <ada@x>")
        one.journal = journal
        with_requests(one, asks("a1", "0.0.build", by=by))
    skipped, rebuilt = log.records()
    assert (skipped["verb"], skipped["outcome"], skipped["about"]) == ("build", "skipped", f"skipped by {by}")
    assert (skipped["operator"], skipped["git"]) == (by, git)
    assert (rebuilt["verb"], rebuilt["operator"]) == ("rebuild", "ada")
