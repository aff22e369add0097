"""The order in which hosts and steps go, who stops whom, and the exit code that comes of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvenix.engine.step import Step
from pvenix.model.errors import (
    ExitCode,
    LocalResource,
    LockHeld,
    OutcomeUnknown,
    PvenixError,
    Refused,
    RemoteFailure,
    Unreachable,
)
from pvenix.model.events import HostEnded, RunEnded, RunStarted, StepStarted, WaveStarted
from pvenix.model.outcome import Outcome, Probe, Status, done, skip
from pvenix.model.plan import Task
from tests.unit.engine_support import CHANGED, FAILED, FakeVerb, bench, play, raising

HOSTS = ("a1", "b2", "c3", "d4")


def test_a_run_begins_and_ends_with_an_event_that_says_what_it_is(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("boot", "build")))
    assert one.go() == ExitCode.OK
    first, last = one.events[0], one.events[-1]
    assert isinstance(first, RunStarted)
    assert (first.hosts, first.steps, first.resumed) == (("a1",), ("0.0.boot", "0.1.build"), False)
    assert first.pid > 0
    assert isinstance(last, RunEnded)
    assert (last.exit_code, last.counts) == (0, {"changed": 1})
    assert [event.seq for event in one.events] == list(range(1, len(one.events) + 1))


def test_the_file_of_events_holds_what_the_listener_got(tmp_path: Path) -> None:
    one = bench(tmp_path, play(*HOSTS))
    one.go()
    assert one.run.events()[0] == one.events


def test_a_host_s_end_is_told_after_the_last_play_that_works_on_it_or_when_it_is_lost(tmp_path: Path) -> None:
    looks = FakeVerb({"b2": FAILED})
    one = bench(tmp_path, play("a1", "b2", "c3", verbs=("preflight",)), play("a1", "b2"), verbs={"preflight": looks})
    one.go()
    ended = [(event.host, event.status) for event in one.events if isinstance(event, HostEnded)]
    assert sorted(ended) == [("a1", "changed"), ("b2", "failed"), ("c3", "changed")]
    assert one.events.index(next(e for e in one.events if isinstance(e, HostEnded) and e.host == "a1")) > max(
        index for index, event in enumerate(one.events) if isinstance(event, StepStarted)
    )


def test_each_host_does_its_tasks_in_order(tmp_path: Path) -> None:
    one = bench(tmp_path, play(*HOSTS, verbs=("clone", "boot", "build")))
    one.go()
    for host in HOSTS:
        assert [verb for name, verb in one.started() if name == host] == ["clone", "boot", "build"]


def test_hosts_of_a_wave_work_at_the_same_time_and_waves_one_after_another(tmp_path: Path) -> None:
    verb = FakeVerb()
    one = bench(tmp_path, play(*HOSTS, serial=2), verbs={"build": verb})
    one.go()
    waves = [event.hosts for event in one.events if isinstance(event, WaveStarted)]
    assert waves == [("a1", "b2"), ("c3", "d4")]
    assert verb.most_at_once == 2
    assert [event.number for event in one.events if isinstance(event, WaveStarted)] == [1, 2]


def test_a_host_that_failed_leaves_its_later_steps_and_the_others_go_on(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", "b2", verbs=("clone", "boot")), verbs={"clone": FakeVerb({"a1": FAILED})})
    assert one.go() == ExitCode.FAILED
    assert one.steps() == [("a1", "clone", "failed"), ("b2", "clone", "changed"), ("b2", "boot", "changed")]
    assert one.ends() == {"a1": "failed", "b2": "changed"}


ERRORS = [
    (Unreachable("no answer"), Status.UNREACHABLE, ExitCode.UNREACHABLE),
    (OutcomeUnknown("cut"), Status.UNKNOWN, ExitCode.UNKNOWN),
    (Refused("wrong key"), Status.REFUSED, ExitCode.REFUSED),
    (LockHeld("busy"), Status.LOCKED, ExitCode.LOCKED),
    (RemoteFailure("task failed", why="storage full"), Status.FAILED, ExitCode.FAILED),
    (ValueError("a defect"), Status.FAILED, ExitCode.FAILED),
    (asyncio.IncompleteReadError(b"", 3), Status.FAILED, ExitCode.FAILED),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=[type(row[0]).__name__ for row in ERRORS])
def test_what_a_verb_raises_is_its_host_s_end_and_nobody_else_s(
    tmp_path: Path, error: Exception, status: Status, code: ExitCode
) -> None:
    one = bench(tmp_path, play("a1", "b2"), verbs={"build": FakeVerb({"a1": raising(error)})})
    assert one.go() == code
    assert one.ends() == {"a1": status, "b2": "changed"}
    assert one.run.plan().hosts == ("a1", "b2")


def test_an_error_keeps_its_hint_and_its_evidence(tmp_path: Path) -> None:
    error = RemoteFailure("it broke", why="because", hint="do this", evidence=("last line",))
    one = bench(tmp_path, play("a1"), verbs={"build": FakeVerb({"a1": raising(error)})})
    one.go()
    [ended] = [event for event in one.events if event.kind == "step.ended"]
    assert (ended.summary, ended.hint, ended.evidence) == ("it broke: because", "do this", ("last line",))  # type: ignore[attr-defined]


def test_a_defect_is_named_out_of_its_groups_and_its_traceback_is_in_the_log_of_its_step(tmp_path: Path) -> None:
    error = ExceptionGroup("many", [ExceptionGroup("more", [KeyError("the one")])])
    one = bench(tmp_path, play("a1"), verbs={"build": FakeVerb({"a1": raising(error)})})
    one.go()
    [ended] = [event for event in one.events if event.kind == "step.ended"]
    assert ended.summary == "defect in pvenix: KeyError: 'the one'"  # type: ignore[attr-defined]
    assert f"--log a1 --step {ended.step}" in ended.hint  # type: ignore[attr-defined]
    assert "Traceback (most recent call last)" in one.run.log_path("a1").read_text()


def test_a_verb_that_does_not_end_in_its_time_is_unknown(tmp_path: Path) -> None:
    async def hang(_step: Step) -> Outcome:
        await asyncio.Event().wait()
        return CHANGED

    one = bench(tmp_path, play("a1", "b2", verbs=("place",)), verbs={"place": FakeVerb({"a1": hang})})
    assert one.go() == ExitCode.UNKNOWN
    assert one.ends() == {"a1": "unknown", "b2": "changed"}


def test_what_is_done_already_is_not_applied(tmp_path: Path) -> None:
    async def is_done(_step: Step) -> Probe:
        return done("already there")

    verb = FakeVerb(probe_with=is_done)
    one = bench(tmp_path, play("a1"), verbs={"build": verb})
    assert one.go() == ExitCode.OK
    assert (verb.applied, one.ends()) == ([], {"a1": "ok"})


def test_skipped_is_not_ok(tmp_path: Path) -> None:
    async def not_here(_step: Step) -> Probe:
        return skip("no GPU")

    one = bench(tmp_path, play("a1"), verbs={"build": FakeVerb(probe_with=not_here)})
    assert one.go() == ExitCode.OK
    assert one.ends() == {"a1": "skipped"}


def test_a_host_shows_the_most_that_happened_in_all_its_plays(tmp_path: Path) -> None:
    async def is_done(_step: Step) -> Probe:
        return done()

    one = bench(tmp_path, play("a1"), play("a1", verbs=("boot",)), verbs={"boot": FakeVerb(probe_with=is_done)})
    one.go()
    assert one.ends() == {"a1": "changed"}


def test_facts_of_earlier_steps_reach_later_steps_and_plays(tmp_path: Path) -> None:
    placed = Outcome(status=Status.CHANGED, facts={"vmid": "201"})
    boot, build = FakeVerb(), FakeVerb()
    verbs = {"clone": FakeVerb({"a1": placed}), "boot": boot, "build": build}
    bench(tmp_path, play("a1", "b2", verbs=("clone", "boot")), play("a1"), verbs=verbs).go()
    assert boot.steps["a1"].facts["vmid"] == "201"
    assert build.steps["a1"].facts["vmid"] == "201"
    assert "vmid" not in boot.steps["b2"].facts


def test_run_once_runs_on_the_first_host_of_each_wave(tmp_path: Path) -> None:
    tasks = (Task(verb="boot", run_once=True), Task(verb="build"))
    one = bench(tmp_path, play(*HOSTS, serial=2, tasks=tasks))
    one.go()
    assert [host for host, verb in one.started() if verb == "boot"] == ["a1", "c3"]


async def _slow(_step: Step) -> Outcome:
    await asyncio.sleep(60)
    return CHANGED


ONCE = (Task(verb="boot", run_once=True), Task(verb="build"))


def test_the_other_hosts_wait_for_what_one_does_for_all(tmp_path: Path) -> None:
    times: dict[str, float] = {}

    async def note(step: Step) -> Outcome:
        times[step.host] = asyncio.get_running_loop().time()
        return CHANGED

    boot, build = FakeVerb({"a1": _slow}), FakeVerb(dict.fromkeys(HOSTS, note))
    bench(tmp_path, play(*HOSTS, tasks=ONCE), verbs={"boot": boot, "build": build}).go()
    assert boot.applied == ["a1"]
    assert min(times.values()) >= 60


def test_what_one_host_does_for_all_goes_to_the_next_when_it_fails_before(tmp_path: Path) -> None:
    """Measured with ansible-core 2.19, as the next one."""
    tasks = (Task(verb="clone"), *ONCE)
    one = bench(tmp_path, play(*HOSTS, tasks=tasks), verbs={"clone": FakeVerb({"a1": FAILED})})
    assert one.go() == ExitCode.FAILED
    assert [host for host, verb in one.started() if verb == "boot"] == ["b2"]
    assert sorted(host for host, verb in one.started() if verb == "build") == ["b2", "c3", "d4"]


def test_a_failure_of_what_one_host_does_for_all_ends_the_run_for_all(tmp_path: Path) -> None:
    one = bench(tmp_path, play(*HOSTS, tasks=ONCE), verbs={"boot": FakeVerb({"a1": FAILED})})
    assert one.go() == ExitCode.FAILED
    assert one.started() == [("a1", "boot")]
    assert one.ends() == {"a1": "failed", "b2": "cancelled", "c3": "cancelled", "d4": "cancelled"}


def test_all_wait_for_the_person_that_one_host_waits_for(tmp_path: Path) -> None:
    waiting = Outcome(status=Status.WAITING, summary="waits for review")
    one = bench(tmp_path, play("a1", "b2", tasks=ONCE), verbs={"boot": FakeVerb({"a1": waiting})})
    assert one.go() == ExitCode.CHANGES
    assert (one.started(), one.ends()) == ([("a1", "boot")], {"a1": "waiting", "b2": "waiting"})


def test_what_one_host_did_for_all_is_not_done_again_by_another_when_the_run_is_resumed(tmp_path: Path) -> None:
    boot, build = FakeVerb(), FakeVerb({"b2": FAILED})
    tasks = (Task(verb="clone"), *ONCE)
    one = bench(
        tmp_path, play("a1", "b2", tasks=tasks), verbs={"clone": FakeVerb({"a1": FAILED}), "boot": boot, "build": build}
    )
    one.go()
    one.verbs["clone"].actions = {}  # type: ignore[attr-defined]
    build.actions = {}
    assert one.go(resume=True) == ExitCode.OK
    assert boot.applied == ["b2"]


def test_what_one_host_does_for_all_begins_when_every_host_has_come_to_it(tmp_path: Path) -> None:
    """As in ansible-core's linear strategy: the task before has ended on every host of the batch."""

    async def slow(_step: Step) -> Outcome:
        await asyncio.sleep(60)
        return CHANGED

    clone, tasks = FakeVerb({"b2": slow, "c3": FAILED}), (Task(verb="clone"), *ONCE)
    one = bench(tmp_path, play("a1", "b2", "c3", tasks=tasks), verbs={"clone": clone})
    assert one.go() == ExitCode.FAILED
    assert one.steps().index(("b2", "clone", "changed")) < one.steps().index(("a1", "boot", "changed"))
    assert one.started().count(("a1", "boot")) == 1
    assert ("b2", "build") in one.started()


def test_hosts_that_wait_for_one_task_leave_their_forks_to_those_that_have_not_begun(tmp_path: Path) -> None:
    one = bench(tmp_path, play(*HOSTS, tasks=(Task(verb="clone"), *ONCE)), forks=1)
    assert one.go() == ExitCode.OK
    assert [step for step in one.started() if step[1] == "boot"] == [(HOSTS[0], "boot")]


@pytest.mark.parametrize(("throttle", "most"), [(0, 4), (1, 1), (3, 3)])
def test_throttle_bounds_one_task(tmp_path: Path, throttle: int, most: int) -> None:
    verb = FakeVerb()
    bench(tmp_path, play(*HOSTS, tasks=(Task(verb="build", throttle=throttle),)), verbs={"build": verb}).go()
    assert verb.most_at_once == most


def test_forks_bound_the_hosts_at_work(tmp_path: Path) -> None:
    verb = FakeVerb()
    bench(tmp_path, play(*HOSTS), verbs={"build": verb}, forks=2).go()
    assert verb.most_at_once == 2


def test_pushes_go_one_by_one(tmp_path: Path) -> None:
    verb = FakeVerb()
    bench(tmp_path, play(*HOSTS, verbs=("register",)), verbs={"register": verb}).go()
    assert verb.most_at_once == 1


def test_a_host_that_failed_in_one_play_is_left_out_of_the_next(tmp_path: Path) -> None:
    one = bench(
        tmp_path, play("a1", "b2"), play("a1", "b2", verbs=("boot",)), verbs={"build": FakeVerb({"a1": FAILED})}
    )
    one.go()
    assert [host for host, verb in one.started() if verb == "boot"] == ["b2"]


# --- failures that stop others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "second_wave"), [(49, []), (50, ["c3", "d4"]), (0, []), (100, ["c3", "d4"])])
def test_a_play_stops_when_more_than_the_percentage_of_a_wave_failed(
    tmp_path: Path, limit: int, second_wave: list[str]
) -> None:
    """Measured with ansible-core 2.19: of two hosts one failed; 49 stops, 50 goes on."""
    verb = FakeVerb({"a1": FAILED})
    one = bench(tmp_path, play(*HOSTS, serial=2, max_fail_percentage=limit), verbs={"build": verb})
    assert one.go() == ExitCode.FAILED
    assert verb.applied == ["a1", "b2", *second_wave]
    assert one.ends()["d4"] == ("changed" if second_wave else "cancelled")


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.UNREACHABLE, Status.ROLLED_BACK, Status.REFUSED])
def test_every_bad_end_counts_as_failed(tmp_path: Path, status: Status) -> None:
    verb = FakeVerb({"a1": Outcome(status=status)})
    one = bench(tmp_path, play(*HOSTS, serial=2, max_fail_percentage=49), verbs={"build": verb})
    one.go()
    assert verb.applied == ["a1", "b2"]


def test_waiting_for_a_person_does_not_count_as_failed(tmp_path: Path) -> None:
    verb = FakeVerb({"a1": Outcome(status=Status.WAITING)})
    one = bench(tmp_path, play(*HOSTS, serial=1, max_fail_percentage=0), verbs={"build": verb})
    assert one.go() == ExitCode.CHANGES
    assert verb.applied == list(HOSTS)


def test_a_play_that_stopped_ends_the_run_and_says_whom_it_did_not_reach(tmp_path: Path) -> None:
    one = bench(
        tmp_path,
        play("a1", "b2", serial=1, max_fail_percentage=0),
        play("c3", verbs=("boot",)),
        verbs={"build": FakeVerb({"a1": FAILED})},
    )
    one.go()
    assert one.ends() == {"a1": "failed", "b2": "cancelled", "c3": "cancelled"}


def test_once_the_percentage_is_exceeded_no_host_of_the_wave_starts_another_step(tmp_path: Path) -> None:
    """Ansible looks after each task; a host that is ahead ends the step that it is at."""

    async def slow(_step: Step) -> Outcome:
        await asyncio.sleep(60)
        return CHANGED

    clone = FakeVerb({"a1": FAILED, "b2": slow})
    one = bench(
        tmp_path, play("a1", "b2", "c3", verbs=("clone", "boot"), max_fail_percentage=30), verbs={"clone": clone}
    )
    assert one.go() == ExitCode.FAILED
    assert ("b2", "clone", "changed") in one.steps()
    assert ("b2", "boot") not in one.started()


def test_a_wave_that_failed_as_a_whole_is_the_last_whatever_the_percentage(tmp_path: Path) -> None:
    """Measured with ansible-core 2.19: neither the next batch nor the next play begins."""
    verb = FakeVerb({"a1": FAILED, "b2": Outcome(status=Status.UNREACHABLE)})
    one = bench(
        tmp_path, play(*HOSTS, serial=2, max_fail_percentage=100), play("d4", verbs=("boot",)), verbs={"build": verb}
    )
    one.go()
    assert one.started() == [("a1", "build"), ("b2", "build")]
    assert one.ends() == {"a1": "failed", "b2": "unreachable", "c3": "cancelled", "d4": "cancelled"}


def test_any_errors_fatal_lets_running_steps_end_and_starts_no_others(tmp_path: Path) -> None:
    async def slow(_step: Step) -> Outcome:
        await asyncio.sleep(60)
        return CHANGED

    clone = FakeVerb({"a1": FAILED, "b2": slow})
    one = bench(tmp_path, play("a1", "b2", verbs=("clone", "boot"), any_errors_fatal=True), verbs={"clone": clone})
    assert one.go() == ExitCode.FAILED
    assert one.steps() == [("a1", "clone", "failed"), ("b2", "clone", "changed")]
    assert one.ends() == {"a1": "failed", "b2": "cancelled"}


def test_a_disk_that_takes_no_record_stops_the_run(tmp_path: Path) -> None:
    verb = FakeVerb({"a1": raising(LocalResource("disk full"))})
    one = bench(tmp_path, play(*HOSTS, serial=1), verbs={"build": verb})
    assert one.go() == ExitCode.LOCAL
    assert verb.applied == ["a1"]


def test_a_full_disk_under_the_events_ends_the_run_as_a_local_problem_and_not_as_a_defect(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", "b2"))

    async def fill(_step: Step) -> Outcome:
        (one.run.path / "events.jsonl").unlink()
        (one.run.path / "events.jsonl").mkdir()
        return CHANGED

    one.verbs["build"].actions = {"a1": fill}  # type: ignore[attr-defined]
    with pytest.raises(LocalResource, match="events"):
        one.go()


def test_the_worst_end_is_the_exit_code(tmp_path: Path) -> None:
    ends = {"a1": FAILED, "b2": Outcome(status=Status.ROLLED_BACK), "c3": Outcome(status=Status.UNREACHABLE)}
    assert bench(tmp_path, play(*HOSTS), verbs={"build": FakeVerb(ends)}).go() == ExitCode.ROLLED_BACK


# --- an oracle for serial x failures x thresholds --------------------------------------------------------------------


def _cases() -> Iterator[tuple[int, int, frozenset[int], float]]:
    for count in (1, 2, 3, 4):
        for serial in range(1, count + 1):
            for failing in itertools.chain.from_iterable(
                itertools.combinations(range(count), size) for size in range(count + 1)
            ):
                for limit in (0.0, 50.0) if count > 2 else (0.0, 49.0, 50.0, 100.0):
                    yield count, serial, frozenset(failing), limit


def _expected(count: int, serial: int, failing: frozenset[int], limit: float) -> dict[str, str]:
    """Written from the manual's words alone: a batch in which MORE than `limit` percent failed is the last one, and so is
    one that failed as a whole.
    """
    ends, stopped = {}, False
    for first in range(0, count, serial):
        batch = range(first, min(first + serial, count))
        for number in batch:
            ends[f"h{number}"] = "cancelled" if stopped else "failed" if number in failing else "changed"
        if not stopped:
            bad = sum(1 for number in batch if number in failing)
            stopped = 100.0 * bad / len(batch) > limit or bad == len(batch)
    return ends


def test_serial_failures_and_thresholds_agree_with_an_independent_reading(tmp_path: Path) -> None:
    cases = list(_cases())
    assert len(cases) > 200
    for number, (count, serial, failing, limit) in enumerate(cases):
        hosts = [f"h{index}" for index in range(count)]
        verb = FakeVerb({f"h{index}": FAILED for index in failing})
        one = bench(
            tmp_path / str(number), play(*hosts, serial=serial, max_fail_percentage=limit), verbs={"build": verb}
        )
        code = one.go()
        expected = _expected(count, serial, failing, limit)
        assert one.ends() == expected, (count, serial, failing, limit)
        assert code == (ExitCode.FAILED if failing and "failed" in expected.values() else ExitCode.OK)


# --- check mode ------------------------------------------------------------------------------------------------------


def test_check_shows_the_commands_and_applies_nothing(tmp_path: Path) -> None:
    verb = FakeVerb()
    one = bench(tmp_path, play("a1"), verbs={"build": verb}, check=True)
    assert one.go() == ExitCode.CHANGES
    assert (verb.applied, one.commands(), one.ends()) == ([], ["touch /done"], {"a1": "pending"})
    assert one.journal.entries() == ()


def test_check_goes_on_to_the_next_step_and_takes_no_lock(tmp_path: Path) -> None:
    one = bench(tmp_path, play("a1", verbs=("clone", "boot")), check=True)
    one.go()
    assert one.steps() == [("a1", "clone", "pending"), ("a1", "boot", "pending")]
    assert not (tmp_path / "locks").exists()


def test_check_of_several_plays_keeps_the_exit_code_of_changes(tmp_path: Path) -> None:
    async def is_done(_step: Step) -> Probe:
        return done()

    one = bench(
        tmp_path, play("a1"), play("a1", verbs=("boot",)), verbs={"boot": FakeVerb(probe_with=is_done)}, check=True
    )
    assert one.go() == ExitCode.CHANGES


# --- locks -----------------------------------------------------------------------------------------------------------


def test_a_host_that_another_run_works_on_is_locked_and_the_others_go_on(tmp_path: Path) -> None:
    from pvenix.engine.locks import HostLocks

    one = bench(tmp_path, play("a1", "b2"))
    with HostLocks(tmp_path / "locks").hold("a1", owner="20260101-000000-abcd", since="2026-01-01"):
        assert one.go() == ExitCode.LOCKED
    assert one.ends() == {"a1": "locked", "b2": "changed"}


def test_a_lock_file_that_cannot_be_made_is_a_local_problem(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("in the way")
    one = bench(tmp_path, play("a1", "b2"))
    assert one.go() == ExitCode.LOCAL


def test_every_kind_of_error_has_an_exit_code() -> None:
    kinds = [PvenixError, Unreachable, OutcomeUnknown, Refused, LockHeld, LocalResource, RemoteFailure]
    assert len({kind("x").exit_code for kind in kinds}) == 6
