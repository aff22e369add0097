"""What a front end asks of a run while it goes: cancel, pause, continue, step mode, retry."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from pvenix.engine.step import Step
from pvenix.model.errors import ExitCode, LocalResource, OutcomeUnknown
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.plan import Task
from tests.sim.virtual import run_virtual
from tests.unit.engine_support import CHANGED, FAILED, Bench, FakeVerb, bench, play


def with_requests(one: Bench, script: Callable[[Bench], Coroutine[Any, Any, None]]) -> ExitCode:
    """The run's exit code, with a front end at its side."""

    async def both() -> ExitCode:
        async with asyncio.TaskGroup() as group:
            run = group.create_task(one.execute())
            group.create_task(script(one))
        return run.result()

    return run_virtual(both())


async def until(one: Bench, kind: str, count: int = 1) -> None:
    """Wait for the `count`-th event of a kind."""
    while sum(event.kind == kind for event in one.events) < count:  # noqa: ASYNC110 - the time is virtual
        await asyncio.sleep(0.05)


def test_cancel_lets_running_steps_end_and_starts_no_others(tmp_path: Path) -> None:
    async def cancel(one: Bench) -> None:
        await until(one, "step.started", 2)
        one.run.request("cancel")

    one = bench(tmp_path, play("a1", "b2", verbs=("clone", "boot")), play("c3"))
    assert with_requests(one, cancel) == ExitCode.INTERRUPTED
    assert sorted(one.steps()) == [("a1", "clone", "changed"), ("b2", "clone", "changed")]
    assert one.ends() == {"a1": "cancelled", "b2": "cancelled", "c3": "cancelled"}


def test_cancel_between_plays_is_not_called_success(tmp_path: Path) -> None:
    async def cancel(one: Bench) -> None:
        await until(one, "step.started")
        one.run.request("cancel")

    one = bench(tmp_path, play("a1"), play("a1", verbs=("boot",)))
    assert with_requests(one, cancel) == ExitCode.INTERRUPTED
    assert one.ends() == {"a1": "cancelled"}


def test_cancel_of_one_host_leaves_the_others_alone(tmp_path: Path) -> None:
    async def cancel(one: Bench) -> None:
        await until(one, "step.started", 2)
        one.run.request("cancel", "a1")

    one = bench(tmp_path, play("a1", "b2", verbs=("clone", "boot")))
    assert with_requests(one, cancel) == ExitCode.INTERRUPTED
    assert one.ends() == {"a1": "cancelled", "b2": "changed"}


def test_a_pause_holds_the_next_steps_until_continue(tmp_path: Path) -> None:
    times: dict[str, float] = {}

    async def note(step: Step) -> Outcome:
        times[step.verb] = asyncio.get_running_loop().time()
        await asyncio.sleep(1)
        return CHANGED

    async def hold(one: Bench) -> None:
        await until(one, "step.started")
        one.run.request("pause")
        await asyncio.sleep(100)
        one.run.request("continue")

    one = bench(
        tmp_path,
        play("a1", verbs=("clone", "boot")),
        verbs={"clone": FakeVerb({"a1": note}), "boot": FakeVerb({"a1": note})},
    )
    assert with_requests(one, hold) == ExitCode.OK
    assert times["boot"] - times["clone"] >= 99
    assert one.waited() == [("a1", "the run is paused")]


def test_cancel_of_one_host_does_not_end_the_pause_of_the_others(tmp_path: Path) -> None:
    verb = FakeVerb()

    async def script(one: Bench) -> None:
        await until(one, "step.started", 2)
        one.run.request("pause")
        await until(one, "step.waiting", 2)
        one.run.request("cancel", "a1")
        await until(one, "host.ended")
        await asyncio.sleep(100)
        assert verb.applied == []
        one.run.request("continue")

    one = bench(tmp_path, play("a1", "b2", verbs=("clone", "boot")), verbs={"boot": verb})
    assert with_requests(one, script) == ExitCode.INTERRUPTED
    assert one.ends() == {"a1": "cancelled", "b2": "changed"}


def test_cancel_ends_a_pause(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "step.started")
        one.run.request("pause")
        await until(one, "step.waiting")
        one.run.request("cancel")

    one = bench(tmp_path, play("a1", verbs=("clone", "boot")))
    assert with_requests(one, script) == ExitCode.INTERRUPTED


def test_step_mode_starts_a_step_at_each_continue(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        for number in (1, 2):
            await until(one, "step.waiting", number)
            await asyncio.sleep(60)
            assert len(one.started()) == number - 1
            one.run.request("continue")

    one = bench(tmp_path, play("a1", verbs=("clone", "boot")), step=True)
    assert with_requests(one, script) == ExitCode.OK
    assert one.waited() == [("a1", "waiting to go on")] * 2


def test_a_fatal_error_ends_the_wait_for_a_turn(tmp_path: Path) -> None:
    async def second(_step: Step) -> Probe:
        return needed() if _step.host == "a1" else done()

    async def script(one: Bench) -> None:
        await until(one, "step.waiting", 2)
        one.run.request("continue")

    one = bench(
        tmp_path,
        play("a1", "b2", verbs=("clone", "boot"), any_errors_fatal=True),
        verbs={"clone": FakeVerb({"a1": FAILED}, probe_with=second)},
        step=True,
    )
    assert with_requests(one, script) == ExitCode.FAILED
    assert one.ends()["b2"] == "cancelled"


def test_a_host_that_is_cancelled_in_what_it_does_for_all_has_done_it_for_all(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "step.started")
        one.run.request("cancel", "a1")

    boot = FakeVerb({"a1": _a_long_time})
    tasks = (Task(verb="boot", run_once=True), Task(verb="build"))
    one = bench(tmp_path, play("a1", "b2", tasks=tasks), verbs={"boot": boot})
    with_requests(one, script)
    assert boot.applied == ["a1"]
    assert one.ends() == {"a1": "cancelled", "b2": "changed"}


class Flaky(FakeVerb):
    """Fails at the first try of each host, as a lost answer does."""

    @override
    async def apply(self, step: Step) -> Outcome:
        await step.intend(vmid="201")
        await super().apply(step)
        if self.applied.count(step.host) == 1:
            raise OutcomeUnknown("cut")
        return CHANGED


async def _a_long_time(_step: Step) -> Outcome:
    await asyncio.sleep(600)
    return CHANGED


@pytest.mark.parametrize("host", ["", "a1"])
def test_retry_goes_on_with_a_failed_host_as_resume_would(tmp_path: Path, host: str) -> None:
    async def script(one: Bench) -> None:
        await until(one, "host.ended")
        one.run.request("retry", host)

    clone, boot = FakeVerb({"b2": _a_long_time}), Flaky()
    one = bench(tmp_path, play("a1", "b2", verbs=("clone", "boot")), verbs={"clone": clone, "boot": boot})
    with_requests(one, script)
    assert [name for name in clone.applied if name == "a1"] == ["a1"]
    assert [name for name in boot.applied if name == "a1"] == ["a1", "a1"]
    assert boot.steps["a1"].known["vmid"] == "201"
    assert one.ends()["a1"] == "changed"


def test_retry_of_a_host_of_an_earlier_wave_does_not_put_it_into_this_one(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "wave.started", 2)
        one.run.request("retry")

    clone = FakeVerb({"a1": FAILED})
    one = bench(tmp_path, play("a1", "b2", "c3", serial=2, verbs=("clone",)), verbs={"clone": clone})
    assert with_requests(one, script) == ExitCode.FAILED
    assert clone.applied == ["a1", "b2", "c3"]


@pytest.mark.parametrize("asked", ["", "a1"])
def test_a_retry_that_comes_too_late_is_told_with_the_way_to_go(tmp_path: Path, asked: str) -> None:
    async def script(one: Bench) -> None:
        await until(one, "wave.started", 2)
        one.run.request("retry", asked)

    verb = FakeVerb({"a1": FAILED, "c3": _a_long_time})
    one = bench(tmp_path, play("a1", "b2", "c3", serial=2), verbs={"build": verb})
    with_requests(one, script)
    assert one.told() == [f"not tried again: its wave is over; when the run has ended: pvenix resume {one.run.run}"]


def test_a_retry_of_a_host_that_went_well_is_told_only_to_who_asked_for_it(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "host.ended")
        one.run.request("retry", "a1")
        one.run.request("retry")

    one = bench(tmp_path, play("a1", "b2"), verbs={"build": FakeVerb({"b2": _a_long_time})})
    assert with_requests(one, script) == ExitCode.OK
    assert one.told() == ["not tried again: it ended changed"]


def test_retry_leaves_hosts_that_went_well_alone(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "host.ended")
        one.run.request("retry")

    clone = FakeVerb({"b2": _a_long_time})
    one = bench(tmp_path, play("a1", "b2", verbs=("clone",)), verbs={"clone": clone})
    assert with_requests(one, script) == ExitCode.OK
    assert clone.applied == ["a1", "b2"]


def test_a_damaged_request_is_nobody_s_wish_and_the_next_one_is_heard(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "step.started")
        (one.run.path / "requests" / "0-dead.json").write_text("{broken")
        (one.run.path / "requests" / "1-dead.json").write_text('["list"]')
        await asyncio.sleep(0.3)
        one.run.request("cancel")

    one = bench(tmp_path, play("a1", verbs=("clone", "boot")))
    assert with_requests(one, script) == ExitCode.INTERRUPTED
    assert Status.CANCELLED.value in one.ends().values()


def test_what_was_asked_of_a_process_that_died_is_not_asked_of_the_next(tmp_path: Path) -> None:
    """As after two interrupts in a row: the first one's request is still there when the run is resumed."""
    one = bench(tmp_path, play("a1", verbs=("clone", "boot")))
    one.run.request("cancel")
    assert one.go(resume=True) == ExitCode.OK


def test_a_request_that_this_version_does_not_know_stops_nothing(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "step.started")
        (one.run.path / "requests" / "0-new.json").write_text('{"kind": "dance", "host": ""}')

    one = bench(tmp_path, play("a1", verbs=("clone", "boot")))
    assert with_requests(one, script) == ExitCode.OK


def test_a_run_whose_folder_is_gone_waits_for_nobody(tmp_path: Path) -> None:
    async def script(one: Bench) -> None:
        await until(one, "step.waiting")
        shutil.rmtree(one.run.path)

    one = bench(tmp_path, play("a1", verbs=("clone", "boot")), step=True)
    with pytest.raises(ExceptionGroup) as raised:
        with_requests(one, script)
    assert raised.group_contains(LocalResource)
    assert one.started() == []
