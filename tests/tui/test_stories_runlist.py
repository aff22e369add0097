"""An operator looks over several hosts of a run, and over all runs."""

from __future__ import annotations

import pytest

from pvenix.engine.runfiles import RunDir
from pvenix_tui.screens.run import RunScreen
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui
WIDE = (120, 36)
NAMES = ("tappaas-cicd", "dns01", "nix-cache01", "tappaas-vllm", "tappaas-litellm", "docker01")


async def run_of_all(ui: Ui, backend: FakeBackend) -> RunDir:
    """A run of six hosts, begun elsewhere, opened from the list."""
    run = backend.start_detached(backend.plan_verb("rebuild", NAMES))
    for name in NAMES:
        backend.step(run, name, "rebuild")
        backend.output(run, name, f"{name} says hello\n")
    await ui.press("2", "enter")
    ui.later()
    for _ in range(4):
        await ui.tick()
    return run


async def test_with_room_every_host_has_a_tile_and_the_keys_go_from_tile_to_tile(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui(WIDE) as ui:
        await run_of_all(ui, backend)
        ui.expect("> tappaas-cicd % running", "dns01 % running", "docker01 % running", "log tappaas-cicd")
        await ui.do("run.next")
        ui.expect("> dns01 % running", "log dns01")
        await ui.press("j")
        ui.expect("log tappaas-litellm")
        await ui.press("k", "h")
        ui.expect("log tappaas-cicd")
        await ui.press("G")
        ui.expect("log docker01")


async def test_a_click_on_a_tile_gives_it_the_keys(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui(WIDE) as ui:
        await run_of_all(ui, backend)
        await ui.pilot.click("#panes", offset=(60, 8))
        await ui.settle()
        ui.expect("> tappaas-litellm % running", "log tappaas-litellm")


async def test_a_failed_host_s_tile_comes_first_and_says_what_helps(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui(WIDE) as ui:
        run = await run_of_all(ui, backend)
        for name in NAMES[:3]:
            backend.end_host(run, name, "changed", "runs 3f2c1a9")
        backend.step(run, "docker01", "rebuild", "failed", summary="docker.service failed", hint="journalctl -u docker")
        backend.end_host(run, "docker01", "failed", "docker.service failed")
        await ui.tick()
        ui.expect("x failed 1", "+ changed 3", "docker.service failed", "journalctl -u docker", "r retry  b rollback")
        await ui.do("run.failed")
        ui.expect_not("tappaas-vllm %")
        ui.expect("> docker01 x failed", "log docker01")
        await ui.do("run.failed")
        ui.expect("tappaas-vllm % running", "> docker01 x failed")


async def test_a_list_of_the_hosts_can_be_had_instead_of_tiles_and_is_remembered(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui(WIDE) as ui:
        await run_of_all(ui, backend)
        await ui.do("run.next", "run.tiles")
        ui.expect("LAST LINE", "log dns01")
        ui.expect_cursor("dns01")
        await ui.press("j")
        ui.expect("log nix-cache01")
        await ui.press("escape", "enter")
        ui.expect("LAST LINE")
        await ui.do("run.tiles")
        ui.expect("> tappaas-cicd % running")


async def test_the_same_host_keeps_the_keys_when_the_terminal_gets_smaller(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui(WIDE) as ui:
        await run_of_all(ui, backend)
        await ui.do("run.next", "run.next")
        ui.expect("> nix-cache01 % running")
        await ui.pilot.resize_terminal(80, 24)
        await ui.settle()
        ui.expect("LAST LINE", "log nix-cache01")
        ui.expect_cursor("nix-cache01")


async def test_a_zoomed_log_has_the_screen_and_esc_brings_the_hosts_back(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await run_of_all(ui, backend)
        await ui.do("run.zoom")
        ui.expect_not("LAST LINE")
        await ui.do("run.next")
        ui.expect("log dns01", "dns01 says hello")
        await ui.press("escape")
        ui.expect("LAST LINE", "log dns01")
        ui.expect_cursor("dns01")


async def test_the_time_that_is_left_is_told_from_earlier_runs(open_ui: OpenUi, backend: FakeBackend) -> None:
    from pvenix.model.events import StepEnded

    async with open_ui() as ui:
        earlier = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
        backend.emit(
            earlier, StepEnded, host="dns01", step="0.0.rebuild", verb="rebuild", status="changed", seconds=120.0
        )
        backend.end_host(earlier, "dns01", "changed")
        backend.end_run(earlier, 0, changed=1)
        run = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
        backend.step(run, "dns01", "rebuild")
        await ui.press("2", "enter")
        ui.expect("~01:48 left")
        ui.expect_not("a guess")
        ui.later(200)
        await ui.tick()
        ui.expect("longer than before")


async def test_a_run_that_was_interrupted_stands_out_in_the_list_and_is_gone_on_with(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
        backend.step(run, "dns01", "rebuild")
        backend.live.close()
        await ui.press("2")
        ui.expect("interrupted 1", "its process is gone: r goes on where it stopped")
        await ui.do("runs.resume")
        assert ("resume", run.run) in backend.calls
        assert isinstance(ui.app.screen, RunScreen)


async def test_a_run_that_waits_for_a_person_stands_out_and_a_finished_one_cannot_be_gone_on_with(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        done = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
        backend.end_host(done, "dns01", "changed")
        backend.end_run(done, 0, changed=1)
        waits = backend.start_detached(backend.plan_verb("rebuild", ["docker01"]))
        backend.end_host(waits, "docker01", "waiting")
        backend.end_run(waits, 8, waiting=1)
        await ui.press("2")
        ui.expect("! waiting 1", "waits for a person: enter opens it, a there asks")
        await ui.do("runs.waiting")
        assert "1 waiting" in ui.line("rebuild docker01")
        ui.expect_not("rebuild dns01")
        await ui.press("escape", "j")
        await ui.do("runs.resume")
        ui.expect("resume: every host ended well")


async def test_a_live_run_whose_every_host_waits_says_so_in_the_list_until_one_goes_on(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = backend.start_detached(backend.plan_verb("rebuild", ["dns01", "docker01"]))
        backend.step(run, "dns01", "rebuild")
        backend.step(run, "docker01", "rebuild", "gate")
        await ui.press("2")
        ui.expect("% running 1")
        backend.step(run, "dns01", "boot", "gate")
        await ui.press("ctrl+r")
        await ui.settle()
        ui.expect("! waiting 1", "waits for a person: enter opens it, c there lets it go on")
        await ui.do("runs.resume")
        ui.expect("resume: it goes on already")
        await ui.do("runs.filter")
        await ui.type("state:running")
        ui.expect("Runs 0/1")
        await ui.press("escape", "/")
        await ui.type("state:waiting")
        await ui.press("enter")
        ui.expect("Runs 1/1")
        backend.step(run, "dns01", "boot")
        await ui.press("ctrl+r")
        await ui.settle()
        ui.expect("Runs 0/1", "% running 1")


async def test_runs_are_found_by_words_and_states(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        for verb, host, code in (("rebuild", "dns01", 0), ("rebuild", "docker01", 6), ("snapshot", "dns01", 0)):
            run = backend.start_detached(backend.plan_verb(verb, [host]))
            backend.end_host(run, host, "failed" if code else "changed")
            backend.end_run(run, code, **{"failed" if code else "changed": 1})
        await ui.press("2")
        await ui.do("runs.filter")
        await ui.type("rebuild")
        ui.expect("Runs 2/3")
        await ui.type(" !state:failed")
        await ui.press("enter")
        ui.expect("Runs 1/3", "rebuild dns01")
        await ui.press("escape")
        ui.expect("Runs 3/3")
