"""Going back: each host to a generation of its own, what that changes seen before anything is confirmed."""

from __future__ import annotations

import pytest

from pvenix.model.plan import RunPlan
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui
A, B = "tappaas-cicd", "dns01"


async def open_picker(ui: Ui, hosts: int = 2) -> None:
    """Mark the first hosts of the fleet and open the picker."""
    for _ in range(hosts):
        await ui.do("fleet.mark")
    await ui.do("host.rollback")
    ui.expect_screen("rollback")


def only_plan(ui: Ui) -> RunPlan:
    """The only plan that was started."""
    [plan] = ui.started()
    assert isinstance(plan, RunPlan)
    return plan


async def test_one_host_goes_back_to_the_generation_before_the_one_it_runs(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rollback")
        ui.expect_in_row(A, "43", "42", "the previous one")
        ui.expect("43    5d  3f2c1a9", "runs now")
        await ui.do("rollback.plan")
        ui.expect("pvenix rollback tappaas-cicd --to 42", "generation 43 to 42", "restart vllm-api.service")
        ui.later()
        await ui.press("G", "y")
        assert only_plan(ui).plays[0].tasks[0].args == {"to": 42}


async def test_two_hosts_go_to_generations_of_their_own_in_one_run(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await open_picker(ui)
        await ui.do("rollback.older")
        ui.expect_in_row(A, "41", "chosen")
        ui.expect_in_row(B, "42", "the previous one")
        await ui.do("rollback.plan")
        ui.expect("pvenix rollback tappaas-cicd=41 dns01=42", "several hosts (2)")
        await ui.press("G")
        await ui.confirm()
        plan = only_plan(ui)
        assert plan.hosts == (A, B)
        assert {host: facts["back_to"][-2:] for host, facts in plan.decisions.items()} == {A: "41", B: "42"}


async def test_what_changes_is_read_to_its_end_before_y_starts_even_one_host(open_ui: OpenUi) -> None:
    async with open_ui((80, 16)) as ui:
        await ui.do("host.rollback", "rollback.plan")
        await ui.confirm()
        ui.expect_error("start: read the plan to its end first")
        assert not ui.started()
        await ui.press("G")
        ui.expect("secrets that were changed meanwhile stay changed")
        await ui.confirm()
        assert only_plan(ui).hosts == (A,)


async def test_a_host_that_does_not_answer_is_a_line_and_keeps_nobody_else(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.silent = frozenset({B})
    async with open_ui((120, 36)) as ui:
        await open_picker(ui)
        await ui.go_to(B)
        ui.expect("1 of 2 go back", "dns01 does not answer")
        await ui.do("rollback.plan")
        ui.expect("Left as they are", "dns01: does not answer")
        assert "dns01=" not in ui.text()


async def test_effects_that_cannot_be_read_are_named_on_the_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.veiled = frozenset({B})
    async with open_ui((120, 40)) as ui:
        await open_picker(ui)
        await ui.do("rollback.plan")
        ui.expect("what changes is not known: dns01 does not answer", "generation 43 to 42")


async def test_equals_brings_every_host_to_the_commit_of_the_one_at_the_cursor(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.numbers = {B: (7, 9, 12)}
    async with open_ui() as ui:
        await open_picker(ui)
        await ui.do("rollback.same")
        ui.expect_in_row(B, "it runs 9be0142 already")
        await ui.do("rollback.previous")
        ui.expect_in_row(B, "12", "9", "the previous one")


async def test_a_host_is_left_out_and_taken_in_again(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await open_picker(ui)
        await ui.do("rollback.leave")
        ui.expect_in_row(A, "left out")
        ui.expect("1 of 2 go back", "space takes it in again")
        await ui.do("rollback.leave")
        ui.expect_in_row(A, "42")


async def test_without_an_older_generation_the_key_says_so(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rollback", "rollback.older", "rollback.older")
        ui.expect_error("tappaas-cicd has no older generation")
        await ui.do("rollback.newer", "rollback.newer")
        ui.expect_error("tappaas-cicd has no newer generation")


async def test_what_only_a_reboot_brings_and_what_nobody_can_tell_is_said(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rollback", "rollback.older")
        ui.expect("needs a reboot: kernel 6.12.31 -> 6.6.58")
        ui.expect("unknown: the system's own dry activation did not say")


async def test_at_the_next_boot_nothing_that_runs_is_touched(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rollback", "rollback.method")
        ui.expect_dialog("How do they go back?")
        await ui.press("j", "enter")
        ui.expect("none before the next boot")
        ui.later()
        await ui.do("rollback.plan")
        ui.expect("pvenix rollback tappaas-cicd --to 42 --boot")
        ui.later()
        await ui.press("G", "y")
        assert only_plan(ui).plays[0].tasks[0].args == {"boot": True, "to": 42}


async def test_a_commit_of_main_is_taken_back_and_the_hosts_rebuilt(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rollback", "rollback.method")
        await ui.press("j", "j", "enter")
        ui.later()
        await ui.do("rollback.plan")
        ui.expect_dialog("Take which commit of main back?")
        ui.later()
        await ui.press("enter")
        ui.expect("pvenix revert 9be0142aa7 tappaas-cicd --merge", "vllm 0.6.3", "read to the end, then y")
        ui.later()
        await ui.press("G", "y")
        assert [task.verb for play in only_plan(ui).plays for task in play.tasks] == ["rebuild"]


async def test_a_host_that_failed_in_a_run_goes_to_what_it_ran_before_it(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.before = {A: 41}
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        await ui.confirm()
        backend.step(ui.run(), A, "rebuild", "failed", summary="vllm.service failed")
        backend.end_host(ui.run(), A, "failed", "vllm.service failed")
        backend.end_run(ui.run(), 1, failed=1)
        await ui.tick()
        await ui.do("run.rollback")
        ui.expect_in_row(A, "43", "41", "ran before that run")


async def test_the_host_screen_offers_the_generation_at_its_cursor(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.open")
        while "[Gens]" not in ui.text():
            await ui.do("host.next")
        await ui.go_to("41")
        await ui.do("host.rollback")
        ui.expect_in_row(A, "43", "41", "chosen")


async def test_once_it_was_started_esc_leads_from_the_run_to_where_the_picker_was_opened(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rollback", "rollback.plan")
        ui.later()
        await ui.press("G", "y")
        ui.expect_screen("run")
        await ui.press("escape")
        ui.expect_screen("fleet")
