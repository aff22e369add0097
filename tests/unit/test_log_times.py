"""When a log's lines were written is noted beside it: about once a second, by offset."""

from __future__ import annotations

from pathlib import Path

from pvenix.engine.logparts import times_path
from pvenix.engine.narrator import Narrator
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.plan import PlayPlan, RunPlan, Task
from tests.sim.virtual import MovableClock


def new_run(root: Path) -> RunDir:
    play = PlayPlan(name="p", waves=(("a1",),), tasks=(Task(verb="build"),))
    return RunStore(root).create(RunPlan(title="t", plays=(play,), fleet="/f"))


def test_what_a_host_prints_within_a_second_has_one_note_and_every_offset_is_where_a_line_begins(
    tmp_path: Path,
) -> None:
    run, clock = new_run(tmp_path), MovableClock()
    log = run.log_path("a1")
    with Narrator(run, clock, lambda _event: None) as narrator:
        narrator.log("a1").write("one\ntwo\n")
        narrator.log("a1").write("three\n")
        clock.now += 1.5
        narrator.log("a1").write("four\n")
    notes = [line.split(" ") for line in times_path(log).read_text().splitlines()]
    assert [int(offset) for offset, _ in notes] == [0, len("one\ntwo\nthree\n")]
    assert notes[0][1] < notes[1][1]


def test_a_run_that_goes_on_notes_the_time_of_its_first_line_anew(tmp_path: Path) -> None:
    run, clock = new_run(tmp_path), MovableClock()
    for _ in range(2):
        with Narrator(run, clock, lambda _event: None) as narrator:
            narrator.log("a1").write("line\n")
        clock.now += 3600
    assert [line.split(" ")[0] for line in times_path(run.log_path("a1")).read_text().splitlines()] == ["0", "5"]
