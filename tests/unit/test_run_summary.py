"""A run as a list shows it, also while it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.events import Event, HostEnded, RunEnded, RunStarted, StepStarted
from pvenix.model.plan import PlayPlan, RunPlan, Task

AT = "2026-11-20T10:00:00.000Z"
LATER = "2026-11-20T10:05:00.000Z"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    play = PlayPlan(name="p", waves=(("a", "b", "c"),), tasks=(Task(verb="build"),))
    run = RunStore(tmp_path).create(RunPlan(title="t", plays=(play,), fleet="/f", operator="ana"))
    tell(run, RunStarted, title="t", hosts=("a", "b", "c"), steps=(), pid=1)
    return run


def tell(run: RunDir, kind: type[Event], *, at: str = AT, **values: object) -> None:
    run.append_event(kind(run=run.run, seq=1, at=at, **values))  # type: ignore[arg-type]


def test_a_run_at_work_counts_the_hosts_that_have_ended_and_has_no_end(run: RunDir) -> None:
    tell(run, HostEnded, host="a", status="changed")
    tell(run, HostEnded, host="b", status="failed")
    with run.locked():
        summary = run.summary()
    assert (summary.state, summary.counts, summary.ended_at) == ("running", {"changed": 1, "failed": 1}, "")
    assert summary.operator == "ana"


def test_a_host_that_is_tried_again_is_not_counted_as_ended(run: RunDir) -> None:
    tell(run, HostEnded, host="b", status="failed")
    tell(run, StepStarted, host="b", step="0.0.build", verb="build", name="build")
    assert run.summary().counts == {}


def test_a_run_that_ended_or_died_ended_with_its_last_event(run: RunDir) -> None:
    tell(run, HostEnded, at=LATER, host="a", status="changed")
    died = run.summary()
    assert (died.state, died.ended_at) == ("interrupted", LATER)
    tell(run, RunEnded, at=LATER, exit_code=0, counts={"changed": 3})
    ended = run.summary()
    assert (ended.state, ended.ended_at, ended.counts) == ("ended", LATER, {"changed": 3})
