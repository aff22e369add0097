"""An operator reads the log of a host in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.logparts import times_path
from pvenix.engine.runfiles import RunDir
from pvenix.engine.stepwords import planned_steps
from pvenix_tui.screens.runlog import RunLog
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.test_stories_runs import start

pytestmark = pytest.mark.tui
HOST = "tappaas-cicd"


async def rebuild(ui: Ui) -> RunDir:
    await start(ui, "r")
    return ui.run()


async def test_what_memory_no_longer_holds_is_read_from_the_file_by_scrolling_and_searching(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        ui.app.screen.follower.ring(HOST).budget = 5_000  # type: ignore[attr-defined] # as of a run of many hosts
        text = "".join(f"{'the needle' if number == 7 else 'hay'} {number}\n" for number in range(500))
        for part in (text[:3000], text[3000:]):
            backend.output(run, HOST, part)
            await ui.tick()
        ui.expect("older lines on disk", "hay 499")
        await ui.do("log.search")
        await ui.type("needle")
        await ui.press("enter")
        ui.expect("the needle 7", "paused")
        await ui.do("log.previous")
        ui.expect("no line with 'needle' there")
        await ui.press("tab", "g")
        ui.expect("hay 0")
        await ui.press("G")
        ui.expect("hay 499", "following")


async def test_a_paused_log_stays_where_it_is_while_the_host_prints_more_than_memory_holds(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        ui.app.screen.follower.ring(HOST).budget = 5_000  # type: ignore[attr-defined] # as of a run of many hosts
        backend.output(run, HOST, "".join(f"early {number}\n" for number in range(60)))
        await ui.tick()
        await ui.do("log.follow")
        ui.expect("early 59", "paused +0 new")
        backend.output(run, HOST, "".join(f"late {number}\n" for number in range(1000)))
        await ui.tick()
        ui.expect("early 59", "paused +1,000 new")
        ui.expect_not("late 0\n")


async def test_only_matching_lines_show_as_long_as_wanted(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        backend.output(
            run, HOST, "".join(f"{'copying' if number % 2 else 'building'} {number}\n" for number in range(50))
        )
        await ui.tick()
        await ui.do("log.next")
        ui.expect("nothing is searched for; / asks what to find")
        await ui.do("log.only")
        ui.expect("only matches: nothing is searched for; / asks what to find")
        await ui.do("log.search")
        await ui.type("copying")
        await ui.press("enter")
        await ui.do("log.only")
        ui.expect("copying 49", "copying 47", "only copying (25)")
        ui.expect_not("building")
        backend.output(run, HOST, "building 50\ncopying 51\n")
        await ui.tick()
        ui.expect("copying 51")
        await ui.do("log.only")
        ui.expect("building 50")


async def test_e_goes_to_what_went_wrong(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        fine = "".join(f"fine {number}\n" for number in range(40))
        backend.output(run, HOST, f"{fine}error: unit vllm.service failed\n{fine}")
        await ui.tick()
        ui.expect_not("unit vllm.service")
        await ui.do("log.error")
        ui.expect("error: unit vllm.service failed", "paused")


async def test_the_time_of_a_line_is_that_at_which_the_host_printed_it(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        backend.step(run, HOST, "rebuild")
        backend.output(run, HOST, "activating\n")
        times_path(run.log_path(HOST)).write_text("0 2026-11-20T10:19:50.000Z\n")
        await ui.tick()
        await ui.do("log.time")
        assert first_log_line(ui) == "10:19:50 --- rebuild ---"
        ui.expect("10:19:50 activating")
        await ui.do("log.time")
        ui.expect("+00:02 activating")
        await ui.do("log.time")
        ui.expect("\nactivating")


async def test_braces_go_from_step_to_step_and_are_not_fooled_by_what_a_host_prints(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        lines = "".join(f"line {number}\n" for number in range(30))
        backend.step(run, HOST, "build")
        backend.output(run, HOST, f"{lines}--- 0.9.fake ---\n{lines}")
        backend.step(run, HOST, "rebuild")
        backend.output(run, HOST, lines)
        await ui.tick()
        await ui.do("log.step_previous")
        assert first_log_line(ui) == "--- rebuild ---"
        await ui.do("log.step_previous")
        assert first_log_line(ui) == "--- build ---"
        await ui.do("log.step_previous")
        ui.expect("no step begins before this line")
        await ui.do("log.step_next")
        assert first_log_line(ui) == "--- rebuild ---"


async def test_a_step_is_headed_in_the_log_as_the_rest_of_the_screen_names_it(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        steps = planned_steps(run.plan())[HOST]
        backend.output(run, HOST, "".join(f"--- {step} ---\noutput of {step}\n" for step in steps))
        await ui.tick()
        ui.expect(f"--- 1/{len(steps)} rebuild ---", f"output of {steps[0]}")
        ui.expect_not(f"--- {steps[0]} ---")
        await ui.do("log.search")
        await ui.type("--- 1/")
        await ui.press("enter")
        ui.expect(f"--- 1/{len(steps)} rebuild ---")
        screen = ui.app.screen
        assert isinstance(screen, RunLog)
        saved = screen.exported()
        assert saved is not None
        assert saved.lines[0] == f"--- 1/{len(steps)} rebuild ---"


def first_log_line(ui: Ui) -> str:
    lines = ui.text().splitlines()
    return lines[next(index for index, line in enumerate(lines) if f"log {HOST}" in line) + 1]


async def test_the_whole_log_is_saved_whatever_of_it_shows(
    open_ui: OpenUi, backend: FakeBackend, tmp_path: Path
) -> None:
    async with open_ui() as ui:
        run = await rebuild(ui)
        backend.output(run, HOST, "".join(f"line {number}\n" for number in range(300)))
        await ui.tick()
        await ui.do("frame.save")
        ui.expect_dialog("Save into which file?")
        await ui.press("ctrl+u")
        await ui.type(str(tmp_path / "kept.txt"))
        await ui.press("enter")
        assert (tmp_path / "kept.txt").read_text().splitlines() == [f"line {number}" for number in range(300)]


async def test_how_logs_are_shown_is_the_same_in_the_next_run(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await rebuild(ui)
        await ui.do("log.wrap", "log.time")
        ui.expect("wrapped", "time wall")
        await ui.press("escape", "2", "enter")
        ui.expect("wrapped", "time wall")
