from __future__ import annotations

import pytest

from pvenix.model.events import Progress, StepEvidence
from pvenix.model.plan import RunPlan
from pvenix.model.sofar import SoFar
from pvenix.model.verbs import ONBOARDING
from pvenix_tui.screens.wizard import WizardScreen
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend
from tests.tui.onboarding import HOST, begin, done, end, gate, onboard, over, seen

pytestmark = pytest.mark.tui


async def test_at_80x24_the_steps_are_one_line_with_the_timer_and_its_limit(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        done(backend, run, "place", "clone", "create", "cloudinit")
        begin(backend, run, "boot")
        ui.later(60)
        await ui.tick()
        ui.expect("5/10 boot  % running 01:13 of at most 30:00", "done 3  skipped 1", "to go 6")


async def test_the_current_step_shows_its_phases_its_ids_and_the_hosts_output(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        step = begin(backend, run, "boot")
        backend.emit(run, StepEvidence, host=HOST, step=step, data={"vmid": "210", "upid": "UPID:n2:1:qmstart:210:"})
        backend.emit(run, Progress, host=HOST, step=step, text="waiting for the guest agent")
        backend.emit(run, StepEvidence, host=HOST, step=step, data={"address": "10.69.13.9"})
        backend.output(run, HOST, "cloud-init[611]: running modules:config\n")
        await ui.tick()
        ui.expect("UPID:n2:1:qmstart:210:", "10.69.13.9", "+00:00 waiting for the guest agent")
        ui.expect("output  following", "cloud-init[611]: running modules:config")


async def test_at_120x36_every_step_has_a_line_and_the_undo_stands_beside_it(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui((120, 36)) as ui:
        run = await onboard(ui)
        done(backend, run, "place", "clone", "create")
        begin(backend, run, "cloudinit")
        await ui.tick()
        for verb in ONBOARDING:
            ui.expect(verb)
        assert "+ changed" in ui.line(" 2 clone")
        assert "- skipped" in ui.line(" 3 create")
        assert ". queued" in ui.line("10 rebuild")
        ui.expect("Undo so far", "stop and destroy VM 210", "the inventory of this checkout", "keeps its line")


async def test_an_earlier_step_is_looked_at_from_the_list_and_the_work_goes_on(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui((120, 36)) as ui:
        run = await onboard(ui)
        begin(backend, run, "place")
        end(backend, run, "place", "ok", summary="tappaas2, storage tanka1, VM id 210")
        done(backend, run, "clone")
        begin(backend, run, "cloudinit")
        await ui.tick()
        await ui.press("shift+tab", "shift+tab", "shift+tab")
        ui.expect_cursor("0.3.cloudinit")
        await ui.press("k", "k", "k")
        ui.expect("place = ok", "tappaas2, storage tanka1, VM id 210", "4/10 cloudinit")


async def test_enter_goes_on_step_by_step_to_the_end(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        for verb in ONBOARDING:
            gate(backend, run, verb)
            await ui.tick()
            ahead = ONBOARDING[ONBOARDING.index(verb) + 1 :][:1]
            ui.expect(f"enter starts {verb}", *(f" {each:<11}. queued" for each in ahead))
            await ui.press("enter")
            assert ui.requests() == [("continue", "")]
            done(backend, run, verb)
        backend.end_host(run, HOST, "changed", "runs it")
        backend.end_run(run, 0, changed=1)
        await seen(ui)
        ui.expect(f"{HOST} is part of the fleet; esc leaves", "done 9  skipped 1")


async def test_a_failed_step_says_why_and_is_tried_again(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        begin(backend, run, "boot")
        end(backend, run, "boot", "failed", summary="no address within 2 minutes", hint="is the bridge right?")
        over(backend, run, "failed")
        await seen(ui)
        ui.expect("no address within 2 minutes", "is the bridge right?", "r tries it again")
        await ui.do("wizard.retry")
        assert ("resume", run.run, (HOST,)) in backend.calls
        ui.expect("goes on where it stopped")


async def test_what_later_steps_need_is_not_skipped_and_the_key_says_why(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        gate(backend, run, "cloudinit")
        await ui.tick()
        await ui.do("wizard.skip")
        ui.expect_error("cloudinit: the VM would boot without user, keys and address")
        ui.expect_not("K goes on without it")
        done(backend, run, "cloudinit", "boot")
        begin(backend, run, "hardware")
        await ui.tick()
        await ui.do("wizard.skip")
        ui.expect_error("hardware is at work: it is let finish")


async def test_a_step_at_its_pause_is_skipped_by_name_and_told_as_skipped(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PVENIX_OPERATOR", "ana")
    async with open_ui() as ui:
        run = await onboard(ui)
        gate(backend, run, "build")
        await ui.tick()
        await ui.do("wizard.skip")
        ui.expect_dialog("Skip build?")
        ui.expect("It counts as skipped, not as done; pvenix build")
        await ui.confirm()
        [asked] = run.take_requests()
        assert (asked.kind, asked.host, asked.step) == ("skip", HOST, "0.8.build")
        assert asked.by
        end(backend, run, "build", "skipped", summary="skipped by ana")
        gate(backend, run, "rebuild")
        await ui.tick()
        ui.expect("10/10 rebuild", "skipped 1")
        ui.expect("build - skipped by ana")
        assert "- skipped  by ana" in ui.line(" 9 build")


async def test_a_failed_step_of_a_run_that_ended_is_skipped_and_gone_on_from(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        done(backend, run, *ONBOARDING[:8])
        begin(backend, run, "build")
        end(backend, run, "build", "failed", summary="no space left")
        over(backend, run, "failed")
        await seen(ui)
        await ui.do("wizard.skip")
        await ui.confirm()
        assert ("skip", run.run, HOST, "0.8.build") in backend.calls
        assert ("resume", run.run, (HOST,)) in backend.calls
        ui.expect("goes on without build")


async def test_leaving_stops_nothing_and_onboard_comes_back_to_where_it_is(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        done(backend, run, "place")
        await ui.press("escape")
        ui.expect_screen("fleet")
        assert not ui.requests()
        begin(backend, run, "clone")
        await ui.do("host.onboard")
        ui.expect_screen("wizard")
        ui.expect("2/10 clone")
        await ui.press("escape", "2")
        await ui.press("enter")
        ui.expect_screen("wizard")


async def test_the_review_step_opens_the_review_and_comes_back(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        done(backend, run, *ONBOARDING[:7])
        begin(backend, run, "review")
        end(backend, run, "review", "waiting", summary="b771e02c9d waits for review")
        over(backend, run, "waiting")
        await seen(ui)
        ui.expect("v reviews and merges it here; then enter goes on")
        await ui.do("wizard.review")
        ui.expect(f"registration/{HOST}")
        await ui.press("escape")
        ui.expect_screen("wizard")
        await ui.press("enter")
        assert ("resume", run.run, (HOST,)) in backend.calls


async def test_the_undo_plans_branch_and_vm_once_the_run_has_let_go(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui((120, 36)) as ui:
        run = await onboard(ui)
        done(backend, run, *ONBOARDING[:7])
        await ui.tick()
        await ui.do("wizard.undo")
        ui.expect_error("the run holds the host: X ends it first")
        await ui.do("run.cancel")
        ui.expect_dialog("Cancel the onboarding?")
        await ui.confirm()
        assert ui.requests() == [("cancel", "")]
        over(backend, run, "cancelled", "stopped before review")
        await seen(ui)
        await ui.do("wizard.undo")
        ui.expect_screen("plan")
        ui.expect(f"undo what was made of {HOST}", "delete the branch registration/web01", f"pvenix unregister {HOST}")
        await ui.press("pagedown")
        ui.later()
        await ui.type(HOST)
        await ui.confirm()
        plan = ui.started()[-1]
        assert isinstance(plan, RunPlan)
        assert [task.verb for play in plan.plays for task in play.tasks] == ["unregister", "destroy"]
        assert plan.plays[0].tasks[1].args == {"confirm": HOST}


async def test_what_was_taken_back_is_not_gone_on_with(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        done(backend, run, "place", "clone")
        gate(backend, run, "create")
        over(backend, run, "cancelled", "stopped before create")
        await seen(ui)
        ui.expect("3/10 create  . queued", "the run has ended; enter goes on where it stopped")
        backend.found = SoFar(lines=(), stays=("taken back by run r2",), taken_back="r2")
        await ui.do("wizard.review")
        await ui.press("escape")
        ui.expect("run r2 took back what was made; o on the host begins anew")
        await ui.press("enter")
        ui.expect_error("run r2 took back what was made; o on the host begins anew")


async def test_a_pause_is_asked_for_and_ended_by_enter(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        begin(backend, run, "boot")
        await ui.tick()
        await ui.do("run.pause")
        assert ui.requests() == [("pause", "")]
        ui.expect("pauses next")
        await ui.press("enter")
        ui.expect_not("pauses next")
        assert ui.requests() == [("continue", "")]


async def test_why_a_skip_was_not_done_is_told_where_the_step_is(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        begin(backend, run, "boot")
        backend.emit(run, Progress, host=HOST, text="0.3.cloudinit is not skipped: it stands at 0.4.boot by now")
        await ui.tick()
        ui.expect("! 0.3.cloudinit is not skipped: it stands at 0.4.boot by now")


async def test_the_timer_moves_once_a_second_only(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        begin(backend, run, "boot")
        await ui.tick()
        drawn: list[int] = []
        screen = ui.app.screen
        assert isinstance(screen, WizardScreen)
        before = screen.redraw

        def counted() -> None:
            drawn.append(1)
            before()

        monkeypatch.setattr(screen, "redraw", counted)
        for _ in range(15):
            ui.later(0.1)
            await ui.tick()
        assert len(drawn) in (1, 2)


async def test_a_step_whose_process_died_does_not_run_on_the_clock(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        run = await onboard(ui)
        done(backend, run, "place", "clone", "create", "cloudinit")
        begin(backend, run, "boot")
        await ui.tick()
        ui.expect("5/10 boot  % running")
        backend.live.close()
        ui.later(60)
        await seen(ui)
        ui.expect("5/10 boot  ~ interrupted", "its process died; enter looks and goes on")
        assert "running" not in ui.text()
