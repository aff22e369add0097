from __future__ import annotations

import pytest

from pvenix.engine.runfiles import RunDir
from pvenix.model.events import RunEnded
from pvenix_tui.models.lastrun import waiting_runs
from pvenix_tui.runfiles.recent import RecentRuns
from tests.tui.fake_backend import FakeBackend


@pytest.fixture
def run(backend: FakeBackend) -> RunDir:
    run = backend.runs.create(backend.plan_verb("rebuild", ["dns01", "docker01"]))
    backend.step(run, "dns01", "rebuild", "changed")
    backend.end_host(run, "dns01", "changed")
    return run


def test_a_run_whose_files_are_as_they_were_is_not_read_again(backend: FakeBackend, run: RunDir) -> None:
    recent = RecentRuns()
    first = recent.read(backend.runs)
    (run.path / "plan.json").write_text("damaged: whoever reads it fails")
    assert recent.read(backend.runs) == first
    assert (first[1]["dns01"].status, first[1]["dns01"].run) == ("changed", run.run)


def test_a_run_that_goes_on_is_read_again(backend: FakeBackend, run: RunDir) -> None:
    recent = RecentRuns()
    states = [recent.read(backend.runs)[0][0].state]
    with run.locked():
        states.append(recent.read(backend.runs)[0][0].state)
    backend.end_host(run, "docker01", "failed")
    backend.emit(run, RunEnded, exit_code=1, counts={}, seconds=1.0)
    [summary], last = recent.read(backend.runs)
    assert [*states, summary.state] == ["interrupted", "running", "ended"]
    assert last["docker01"].failed


def test_a_hosts_last_run_is_the_newest_that_it_was_part_of(backend: FakeBackend, run: RunDir) -> None:
    later = backend.runs.create(backend.plan_verb("rebuild", ["dns01"]))
    later = RunDir(later.path.rename(later.path.with_name("29991231-000000-0000")))
    backend.end_host(later, "dns01", "rolled back")
    summaries, last = RecentRuns().read(backend.runs)
    assert [summary.run for summary in summaries] == [later.run, run.run]
    assert (last["dns01"].status, last["dns01"].run) == ("rolled back", later.run)


def test_a_host_at_whose_gate_a_live_run_stands_waits_until_it_goes_on(backend: FakeBackend, run: RunDir) -> None:
    with run.locked():
        backend.step(run, "docker01", "boot", "gate")
        _, last = RecentRuns().read(backend.runs)
        assert waiting_runs(last.values()) == (run.run,)
        assert last["docker01"].summary == "continue before boot"
        backend.step(run, "docker01", "boot")
        _, last = RecentRuns().read(backend.runs)
    assert (last["docker01"].status, waiting_runs(last.values())) == ("running", ())
    assert last["dns01"].status == "changed"


def test_a_run_whose_process_is_gone_has_no_host_at_work(backend: FakeBackend, run: RunDir) -> None:
    backend.step(run, "docker01", "boot")
    assert set(RecentRuns().read(backend.runs)[1]) == {"dns01"}
