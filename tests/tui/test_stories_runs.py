from __future__ import annotations

import pytest

from pvenix.model.events import Command
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend, waits

pytestmark = pytest.mark.tui


async def start(ui: Ui, *keys: str) -> None:
    await ui.press(*keys)
    await ui.confirm()


async def test_a_run_shows_step_state_and_last_line_of_its_host_and_follows_its_log(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        run = ui.run()
        backend.step(run, "tappaas-cicd", "rebuild")
        backend.output(run, "tappaas-cicd", "".join(f"line {number}\n" for number in range(100)))
        await ui.tick()
        ui.expect("line 99", "following")
        assert "1/1 rebuild" in ui.line("% running     tappaas-cicd")
        backend.step(run, "tappaas-cicd", "rebuild", "changed", summary="runs generation 44")
        backend.end_host(run, "tappaas-cicd", "changed", "runs generation 44")
        backend.end_run(run, 0, changed=1)
        for _ in range(10):
            await ui.tick()
        assert "runs generation 44" in ui.line("+ changed     tappaas-cicd")
        ui.expect("ended exit 0", "100%")


async def test_scrolling_up_pauses_the_log_and_counts_what_is_new(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        run = ui.run()
        backend.output(run, "tappaas-cicd", "".join(f"line {number}\n" for number in range(100)))
        await ui.tick()
        await ui.press("tab", "k")
        ui.expect("paused +0 new")
        backend.output(run, "tappaas-cicd", "line 100\nline 101\n")
        await ui.tick()
        ui.expect("paused +2 new")
        ui.expect_not("\nline 101")
        await ui.press("f")
        ui.expect("following", "line 101")


async def test_a_search_stands_on_the_match_and_goes_on_with_n(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        text = "".join(f"{'error' if number in (10, 50) else 'line'} {number}\n" for number in range(100))
        backend.output(ui.run(), "tappaas-cicd", text)
        await ui.tick()
        await ui.press("slash")
        await ui.type("error")
        await ui.press("enter")
        ui.expect("error 50", "find error")
        await ui.press("N")
        ui.expect("error 10")
        await ui.press("N")
        ui.expect("no line with 'error' there")


async def test_a_step_by_step_run_waits_and_goes_on_when_asked(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        run = ui.run()
        await ui.press("c")
        ui.expect("continue: no host waits for a person")
        backend.step(run, "tappaas-cicd", "rebuild", "gate")
        await ui.tick()
        assert "! waiting" in ui.line("continue before")
        ui.expect("c starts rebuild: build, activate")
        await ui.press("c")
        assert ui.requests() == [("continue", "")]


async def test_a_live_run_and_the_time_show_however_narrow_the_bar_is(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        await ui.press("2")
        assert ui.text().splitlines()[0].endswith("1 live  10:20")
        await ui.press("enter")
        assert ui.text().splitlines()[0].endswith("1 live  10:20")


async def test_pause_and_cancel_are_requests_and_cancel_asks_first(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        await ui.press("p")
        assert ui.requests() == [("pause", "")]
        await ui.press("c")
        assert ui.requests() == [("continue", "")]
        await ui.press("X", "enter", "y")
        assert ui.requests() == []
        await ui.press("n", "X", "escape")
        assert ui.requests() == []
        await ui.press("X")
        await ui.confirm()
        assert ui.requests() == [("cancel", "")]
        await ui.press("x")
        ui.expect("Cancel tappaas-cicd?")
        await ui.confirm()
        assert ui.requests() == [("cancel", "tappaas-cicd")]


async def test_a_run_that_was_asked_to_end_says_so_while_a_step_is_let_finish(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        backend.step(ui.run(), "tappaas-cicd", "rebuild")
        await ui.press("X")
        await ui.confirm()
        await ui.tick()
        ui.expect("! ending", "% running 1")


async def test_a_host_that_has_ended_cannot_be_cancelled(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "space", "space", "r")
        backend.step(ui.run(), "tappaas-cicd", "rebuild", "changed")
        backend.end_host(ui.run(), "tappaas-cicd", "changed", "runs generation 44")
        await ui.tick()
        await ui.go_to("tappaas-cicd")
        await ui.press("x")
        ui.expect("cancel host: tappaas-cicd is changed")
        assert ui.requests() == []


async def test_a_failed_host_is_retried_in_a_live_run_by_request_and_in_an_ended_one_by_resume(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await start(ui, "space", "space", "r")
        run = ui.run()
        await ui.press("r")
        ui.expect("retry: tappaas-cicd is queued")
        backend.step(run, "tappaas-cicd", "rebuild", "failed", summary="vllm.service failed", hint="journalctl -u vllm")
        backend.end_host(run, "tappaas-cicd", "failed", "vllm.service failed")
        await ui.tick()
        ui.expect("x failed", "vllm.service failed", "hint: journalctl -u vllm")
        await ui.press("r")
        assert ui.requests() == [("retry", "tappaas-cicd")]
        backend.end_run(run, 1, failed=1)
        for _ in range(10):
            await ui.tick()
        await ui.press("R")
        assert ("resume", run.run) in backend.calls
        ui.expect("starting")


async def test_what_is_asked_of_a_run_that_has_just_ended_is_not_lost(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        run = ui.run()
        backend.end_host(run, "tappaas-cicd", "failed", "vllm.service failed")
        backend.end_run(run, 1, failed=1)
        await ui.press("r")
        assert ("resume", run.run) in backend.calls
        assert ui.requests() == []


async def test_a_run_that_ends_behind_the_question_whether_to_cancel_it_is_not_said_to_be_asked(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        await ui.do("run.cancel")
        ui.expect_dialog("Cancel the run?")
        backend.end_run(ui.run(), 0, changed=1)
        await ui.confirm()
        ui.expect_error("the run ended before it was asked")


async def test_a_run_that_waits_asks_and_goes_on_with_what_was_approved(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "space", "space", "r")
        run = ui.run()
        backend.asked_now = (waits("tappaas-cicd"), waits("dns01"))
        for name in ("tappaas-cicd", "dns01"):
            hint = f"pvenix approve {run.run} -l {name}"
            backend.step(run, name, "rebuild", "waiting", summary="waits for an approval: reboots", hint=hint)
            backend.end_host(run, name, "waiting", "waits for an approval: reboots")
        backend.end_run(run, 10, waiting=2)
        for _ in range(10):
            await ui.tick()
        ui.expect("Approve rebuild of tappaas-cicd?", "reboots: kernel 6.12.30 -> 6.12.31", "exactly /nix/store/")
        await ui.press("y")
        ui.expect("Approve rebuild of tappaas-cicd?")  # not within half a second
        await ui.confirm()
        ui.expect("Approve rebuild of dns01?")
        await ui.press("n")
        await ui.settle()
        assert ("decide", ("tappaas-cicd",), "approved") in backend.calls
        assert ("resume", run.run, ("tappaas-cicd",)) in backend.calls
        await ui.press("a")
        ui.expect("Approve rebuild of dns01?")


async def test_without_a_question_there_is_nothing_to_approve(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        await ui.press("a")
        ui.expect("approve: no host waits for an approval")


async def test_a_run_whose_process_died_is_called_interrupted_and_can_be_resumed(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        backend.step(ui.run(), "tappaas-cicd", "rebuild")
        backend.live.close()
        for _ in range(10):
            await ui.tick()
        ui.expect("~ interrupted", "R goes on where it stopped: the run's process is gone")
        await ui.press("r")
        assert ("resume", ui.run().run) in backend.calls


async def test_the_commands_log_shows_what_was_sent(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        backend.emit(ui.run(), Command, host="tappaas-cicd", channel="ssh", text="nix build .#toplevel", writes=True)
        await ui.tick()
        await ui.press("at")
        await ui.tick()
        ui.expect("1 commands", "ssh  w tappaas-cicd  nix build .#toplevel")


async def test_ctrl_c_twice_leaves_a_run_at_work_and_held_down_it_does_not(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        await ui.press("ctrl+c", "ctrl+c", "ctrl+c")
        ui.expect_dialog("Leave?")
        ui.later()
        await ui.pilot.press("ctrl+c")
        await ui.pilot.pause()
        assert ui.app.return_code == 0


async def test_leaving_while_a_run_is_live_asks_and_says_that_it_goes_on(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        await ui.press("q")
        ui.expect("1 run is at work and will go on without this window")
        await ui.press("escape")
        assert ui.app.is_running
        await ui.press("q")
        ui.later()
        await ui.pilot.press("y")
        await ui.pilot.pause()
        assert ui.app.return_code == 0
        assert ui.run().alive()


async def test_a_finished_run_is_replayed_from_the_list(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        run = ui.run()
        backend.step(run, "tappaas-cicd", "rebuild", "rolled back", summary="went back to generation 40")
        backend.output(run, "tappaas-cicd", "port 22 did not answer\n")
        backend.end_host(run, "tappaas-cicd", "rolled back", "went back to generation 40")
        backend.end_run(run, 6, **{"rolled back": 1})
        await ui.press("2")
        assert "1 rolled back" in ui.line("rebuild tappaas-cicd")
        await ui.press("enter")
        ui.expect("< rolled back", "went back to generation 40", "port 22 did not answer", "exit 6")


async def test_why_a_host_failed_shows_to_its_end_where_there_is_room_and_says_where_it_is_cut(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await start(ui, "r")
        why = " ".join(["the store has no room"] * 25)
        backend.step(ui.run(), "tappaas-cicd", "rebuild", "failed", summary=f"{why} for this")
        backend.end_host(ui.run(), "tappaas-cicd", "failed", f"{why} for this")
        await ui.tick()
        ui.expect("room for this")
        await ui.pilot.resize_terminal(80, 15)
        await ui.settle()
        assert any(line.endswith("\u2026") and "room" in line for line in ui.text().splitlines())


async def test_a_run_opens_with_the_host_that_needs_a_person(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.mark", "fleet.mark", "host.rebuild")
        await ui.press("G")
        ui.later()
        await ui.press("y")
        run = ui.run()
        for host, end in (("tappaas-cicd", "changed"), ("dns01", "failed")):
            backend.step(run, host, "rebuild", end)
            backend.end_host(run, host, end)
        backend.end_run(run, 2, changed=1, failed=1)
        await ui.press("2", "enter")
        ui.expect("log dns01")
