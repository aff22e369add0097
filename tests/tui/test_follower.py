from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.runfiles import RunDir
from pvenix_tui.models.lines import plain
from pvenix_tui.models.ring import LINE_LIMIT, LineRing
from pvenix_tui.models.runrows import run_notes
from pvenix_tui.runfiles.follower import READ_TICK, ROUND, START_TICKS, WORDS_TICKS, RunFollower
from pvenix_tui.runfiles.logfile import READ_MOST, LogTail
from tests.tui.fake_backend import FakeBackend


@pytest.fixture
def run(backend: FakeBackend) -> RunDir:
    return backend.runs.create(backend.plan_verb("rebuild", ["dns01", "docker01"]))


def test_a_line_shows_only_when_it_is_whole(tmp_path: Path) -> None:
    log, ring = tmp_path / "log", LineRing(10_000)
    tail = LogTail(log, ring)
    assert not tail.poll()
    log.write_bytes("one\ntw\u00e9".encode()[:-1])
    assert tail.poll()
    assert ring.end == 1
    log.write_bytes("one\ntw\u00e9\n".encode())
    tail.poll()
    assert [ring.line(0), ring.line(1)] == ["one", "tw\u00e9"]


def test_no_host_can_hold_the_screen_up_with_its_output(tmp_path: Path) -> None:
    log, ring = tmp_path / "log", LineRing(100 * READ_MOST)
    tail = LogTail(log, ring)
    log.write_text("")
    tail.poll()
    log.write_text("x" * (3 * READ_MOST) + "\nend\n")
    polls = 0
    while ring.last != "end":
        tail.poll()
        polls += 1
        assert polls < 10
    assert ring.line(0) == "x" * LINE_LIMIT
    assert ring.end == 2


def test_a_run_is_starting_until_its_process_is_seen(backend: FakeBackend, run: RunDir) -> None:
    follower = RunFollower(run)
    assert follower.state == "interrupted"
    follower.expect()
    follower.poll("")
    assert follower.state == "starting"
    with run.locked():
        follower.poll("")
        assert follower.state == "running"


def test_a_process_that_gave_up_is_told_with_its_own_words(run: RunDir) -> None:
    follower = RunFollower(run)
    follower.expect()
    earlier = "error[PVX0800]: the disk is full\n  hint: free space there\n"
    (run.path / "process.log").write_text(f"{earlier}error[PVX0301]: no token\n  hint: export it\n")
    for _ in range(WORDS_TICKS + 1):
        follower.poll("")
    assert follower.state == "interrupted"
    [note] = run_notes(follower.model, None)
    assert plain(note) == " error[PVX0301]: no token hint: export it"


def test_a_process_that_never_came_is_not_waited_for_for_ever(run: RunDir) -> None:
    follower = RunFollower(run)
    follower.expect()
    for _ in range(START_TICKS):
        follower.poll("")
    assert follower.state == "interrupted"
    assert follower.model.problem == "its process did not start"


def test_a_damaged_line_of_events_does_not_hide_the_ones_after_it(backend: FakeBackend, run: RunDir) -> None:
    follower = RunFollower(run)
    (run.path / "events.jsonl").write_text('{"kind": "step.started", "host"\n')
    backend.step(run, "dns01", "rebuild", "changed")
    follower.poll("")
    assert follower.model.hosts["dns01"].state == "changed"


def test_a_log_that_grew_by_more_than_is_kept_is_shown_from_its_end_unless_somebody_looks_at_it(
    backend: FakeBackend,
) -> None:
    run = backend.runs.create(backend.plan_verb("rebuild", ["dns01", "docker01"]))
    follower = RunFollower(run)
    for host in ("dns01", "docker01"):
        backend.output(run, host, "first\n")
    for _ in range(ROUND):
        follower.poll("dns01")
    paused = follower.tail("dns01").end
    lines = "".join(f"line {number:07}\n" for number in range(500_000))
    for host in ("dns01", "docker01"):
        backend.output(run, host, lines)
    ticks = 0
    while "line 0499999" not in follower.ring("docker01").last:
        follower.poll("")
        ticks += 1
        assert ticks < 40
    while "line 0499999" not in follower.ring("dns01").last:
        follower.poll("")
    assert follower.tail("dns01").line(paused) == "line 0000000"
    assert follower.tail("dns01").line(0) == "first"


def test_a_tick_reads_no_more_of_many_long_logs_than_there_is_time_for(backend: FakeBackend) -> None:
    hosts = list(backend.fleet_now.hosts)
    run = backend.runs.create(backend.plan_verb("rebuild", hosts))
    for host in hosts:
        backend.output(run, host, "x" * 99 + "\n" + "".join(f"{'y' * 99}\n" for _ in range(40_000)))
    follower = RunFollower(run)
    for _ in range(200):
        for host in hosts:
            follower.tail(host).taken = 0
        follower.poll("")
        assert sum(follower.tail(host).taken for host in hosts) <= READ_TICK + READ_MOST
    assert all(follower.ring(host).last == "y" * 99 for host in hosts)
