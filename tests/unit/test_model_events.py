"""Events and plans survive their files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.model.events import (
    KINDS,
    Command,
    Event,
    HostEnded,
    Progress,
    RunEnded,
    RunStarted,
    StepEnded,
    StepEvidence,
    StepStarted,
    StepWaiting,
    WaveStarted,
    event_from_json,
)
from pvenix.model.plan import PlayPlan, RunPlan, Task

HEAD: dict[str, Any] = {"run": "20260101-000000-abcd", "seq": 1, "at": "2026-01-01T00:00:00.000Z"}
EVENTS: tuple[Event, ...] = (
    RunStarted(**HEAD, title="t", hosts=("a1", "b2"), steps=("0.0.clone",), pid=7, resumed=True, check=True),
    WaveStarted(**HEAD, play="p", number=1, of=2, hosts=("a1",)),
    StepStarted(**HEAD, host="a1", step="0.0.clone", verb="clone", name="Clone it"),
    StepWaiting(**HEAD, host="a1", step="0.0.clone", verb="clone", reason="paused"),
    Command(**HEAD, host="a1", step="0.0.clone", channel="pve", text="POST /x", writes=True),
    Progress(**HEAD, host="a1", step="0.0.clone", text='waiting\u2028for \U0001f600 \\ "'),
    StepEvidence(**HEAD, host="a1", step="0.0.clone", data={"vmid": "210", "upid": "UPID:n1:1:"}),
    StepEnded(**HEAD, host="a1", verb="clone", status="failed", evidence=("one", "two"), seconds=1.5),
    HostEnded(**HEAD, host="a1", status="failed", summary="why"),
    RunEnded(**HEAD, exit_code=1, counts={"failed": 1}, seconds=2.0),
)


@pytest.mark.parametrize("event", EVENTS, ids=[event.kind for event in EVENTS])
def test_an_event_reads_back_from_its_line(event: Event) -> None:
    line = json.dumps(event.to_json())
    assert "\n" not in line
    assert event_from_json(json.loads(line)) == event


def test_every_kind_of_event_is_in_this_file_and_has_its_own_name() -> None:
    assert {event.kind for event in EVENTS} == set(KINDS)
    assert len(KINDS) == len(EVENTS)


@pytest.mark.parametrize(("data", "error"), [({"kind": "new"}, KeyError), ({**HEAD, "kind": "progress"}, TypeError)])
def test_what_is_no_event_is_an_error(data: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        event_from_json(data)


names = st.text(min_size=1, max_size=12)
values = st.one_of(st.booleans(), st.integers(), st.text(max_size=20))
tasks = st.builds(
    Task,
    verb=names,
    name=names,
    args=st.dictionaries(names, values, max_size=3),
    tags=st.lists(names, max_size=3).map(tuple),
    throttle=st.integers(0, 9),
    run_once=st.booleans(),
)
plays = st.builds(
    PlayPlan,
    name=names,
    waves=st.lists(st.lists(names, max_size=3).map(tuple), max_size=3).map(tuple),
    tasks=st.lists(tasks, max_size=3).map(tuple),
    max_fail_percentage=st.floats(0, 100),
    any_errors_fatal=st.booleans(),
)
plans = st.builds(
    RunPlan,
    title=names,
    plays=st.lists(plays, max_size=3).map(tuple),
    fleet=names,
    check=st.booleans(),
    diff=st.booleans(),
    step=st.booleans(),
    forks=st.integers(1, 100),
    extra=st.dictionaries(names, values, max_size=3),
    operator=names,
)


@given(plans)
def test_a_plan_reads_back_from_its_document(plan: RunPlan) -> None:
    assert RunPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_lists_each_host_once_in_order() -> None:
    play = PlayPlan(name="p", waves=(("b2", "a1"), ("c3",)), tasks=())
    again = PlayPlan(name="q", waves=(("a1", "d4"),), tasks=())
    assert RunPlan(title="t", plays=(play, again), fleet="/").hosts == ("b2", "a1", "c3", "d4")
