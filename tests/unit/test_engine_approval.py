"""A run that waits for a person: what goes on meanwhile, and what its answer sets going again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pvenix.engine.decisions import ASKED, Decisions
from pvenix.engine.requests import Ask
from pvenix.engine.step import Step
from pvenix.model.approval import Decision, Verdict
from pvenix.model.errors import ExitCode
from pvenix.model.outcome import Outcome, Status, Waits
from pvenix.model.verbs import VERBS, Kind
from tests.sim.virtual import run_virtual
from tests.unit.engine_support import CHANGED, FAILED, Bench, FakeVerb, bench, play

SUBJECT = "/nix/store/new"
WAITS = Outcome(status=Status.WAITING, summary="waits for an approval", waits=Waits.APPROVAL)


async def gated(step: Step) -> Outcome:
    """As a gate does: ask, until somebody has approved."""
    if any(each.verdict is Verdict.APPROVED and each.host == step.host for each in step.decisions()):
        return CHANGED
    step.evidence(**{ASKED: SUBJECT, "commit": "", "risks": "reboots"})
    await asyncio.sleep(1)
    return WAITS


def decide(run: Bench, host: str, verdict: Verdict = Verdict.APPROVED) -> None:
    words = {"by": "alice", "at": "2026-01-01T00:00:00Z", "risks": ("reboots",)}
    decision = Decision(verdict=verdict, host=host, step="0.0.build", subject=SUBJECT, **words)  # type: ignore[arg-type]
    Decisions(run.run.path).add(decision)


def test_who_waits_counts_as_no_failure_and_later_waves_and_other_hosts_go_on(tmp_path: Path) -> None:
    verb = FakeVerb({"a": gated})
    run = bench(tmp_path, play("a", "b", "c", serial=1, max_fail_percentage=0.0), verbs={"build": verb})
    assert run.go() is ExitCode.APPROVAL
    assert run.ends() == {"a": "waiting", "b": "changed", "c": "changed"}


def test_a_failure_is_worse_than_what_waits(tmp_path: Path) -> None:
    run = bench(tmp_path, play("a", "b"), verbs={"build": FakeVerb({"a": gated, "b": FAILED})})
    assert run.go() is ExitCode.FAILED


def test_who_waits_keeps_neither_its_lock_nor_a_slot(tmp_path: Path) -> None:
    """The other host is at work for a minute after the first has come to its gate."""
    seen: list[bool] = []

    async def long(step: Step) -> Outcome:
        await asyncio.sleep(60)
        assert run.runner is not None
        with run.runner.tools.locks.hold("a", owner="somebody", since="2026-01-01T00:00:00Z"):
            seen.append(run.runner.execution.slots[VERBS["build"].kind].locked())
        return CHANGED

    assert VERBS["build"].kind is Kind.BUILD
    run = bench(tmp_path, play("a", "b"), verbs={"build": FakeVerb({"a": gated, "b": long})})
    run.go()
    assert seen == [False]


def test_an_answer_sets_only_those_hosts_going_again_and_leaves_failures_as_they_were(tmp_path: Path) -> None:
    verb = FakeVerb({"a": gated, "b": FAILED, "c": gated})
    run = bench(tmp_path, play("a", "b", "c", "d"), verbs={"build": verb})
    assert run.go() is ExitCode.FAILED
    decide(run, "a")
    verb.applied.clear()
    assert run_virtual(run.execute(resume=True, only=("a",))) is ExitCode.FAILED
    assert verb.applied == ["a"]
    assert run.ends() == {"a": "changed", "b": "failed", "c": "waiting", "d": "changed"}


def test_hosts_that_still_wait_keep_the_exit_code(tmp_path: Path) -> None:
    run = bench(tmp_path, play("a", "b"), verbs={"build": FakeVerb({"a": gated, "b": gated})})
    run.go()
    decide(run, "a")
    assert run_virtual(run.execute(resume=True, only=("a",))) is ExitCode.APPROVAL


def test_a_rejection_ends_the_host_without_looking_at_it(tmp_path: Path) -> None:
    verb = FakeVerb({"a": gated})
    run = bench(tmp_path, play("a", "b"), verbs={"build": verb})
    run.go()
    decide(run, "a", Verdict.REJECTED)
    verb.probed.clear()
    assert run.go(resume=True) is ExitCode.INTERRUPTED
    assert (verb.probed, run.ends()["a"]) == ([], "cancelled")
    decide(run, "a")
    assert run.go(resume=True) is ExitCode.OK, "the last word counts"


def test_an_answer_while_the_run_is_at_work_is_taken_up_by_it(tmp_path: Path) -> None:
    async def long(_step: Step) -> Outcome:
        await asyncio.sleep(10)
        decide(run, "a")
        run.run.request(Ask.RETRY, "a")
        await asyncio.sleep(10)
        return CHANGED

    run = bench(tmp_path, play("a", "b"), verbs={"build": FakeVerb({"a": gated, "b": long})})
    assert run.go() is ExitCode.OK
    assert run.ends() == {"a": "changed", "b": "changed"}
