from __future__ import annotations

import pytest

from pvenix.model.plan import RunPlan
from pvenix.model.verbs import ONBOARDING
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui


async def test_the_fleet_shows_every_host_with_state_node_generation_and_the_revision_they_come_from(
    open_ui: OpenUi,
) -> None:
    async with open_ui() as ui:
        assert "+ in sync" in ui.line("tappaas-cicd    base")
        assert "~ drifted" in ui.line("tappaas-vllm")
        assert "o unreachable" in ui.line("docker01")
        assert "tappaas2" in ui.line("dns01")
        assert "41" in ui.line("dns01")
        ui.expect("Hosts 6/6", "+ in sync 2")


async def test_a_far_side_that_does_not_answer_is_a_line_and_the_inventory_still_shows(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.unreachable = "tappaas1.mgmt.internal:8006 does not answer"
    async with open_ui() as ui:
        ui.expect("x status: tappaas1.mgmt.internal:8006 does not answer; is the site up?")
        assert "not read yet" in ui.line("dns01")
        backend.unreachable = ""
        await ui.press("ctrl+r")
        ui.expect_not("does not answer")
        assert "+ in sync" in ui.line("dns01")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("role_vllm:role_dns", {"dns01", "tappaas-vllm"}),
        ("core:!dns01", {"tappaas-cicd", "nix-cache01"}),
        ("state=drifted", {"tappaas-vllm"}),
        ("litel", {"tappaas-litellm"}),
    ],
)
async def test_the_filter_takes_a_selector_or_a_part_of_a_row(open_ui: OpenUi, typed: str, shown: set[str]) -> None:
    async with open_ui() as ui:
        await ui.press("slash")
        await ui.type(typed)
        assert set(ui.app.session.fleet.visible) == shown
        await ui.press("enter", "escape")
        assert len(ui.app.session.fleet.visible) == 6


async def test_escape_takes_back_one_thing_at_a_time_and_never_quits(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("space", "slash")
        await ui.type("dns")
        await ui.press("enter")
        ui.expect("1 marked", "filter: dns")
        await ui.press("escape")
        ui.expect("1 marked")
        ui.expect_not("filter: dns")
        await ui.press("escape", "escape", "escape")
        ui.expect_not("marked")
        assert ui.app.is_running


async def test_marks_make_one_plan_for_several_hosts_and_it_starts_only_after_it_was_read(open_ui: OpenUi) -> None:
    async with open_ui((80, 16)) as ui:
        await ui.press("asterisk", "r")
        ui.expect("several hosts (6): read to the end, then y", "read the plan to its end first")
        await ui.confirm()
        ui.expect_error("start: read the plan to its end first (G)")
        assert not ui.started()
        await ui.press("G")
        await ui.confirm()
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert len(plan.hosts) == 6
        ui.expect("% running", "queued 6")


async def test_a_key_that_was_held_down_when_the_plan_opened_starts_nothing(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("r", "y")
        for _ in range(5):
            ui.later(0.3)
            await ui.press("y")
        assert not ui.started()
        ui.later(0.6)
        await ui.press("y")
        assert len(ui.started()) == 1


async def test_enter_is_never_yes_for_what_changes_something(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("r")
        ui.later()
        for _ in range(10):
            await ui.press("enter")
        assert not ui.started()
        ui.expect("Enter is never yes here")
        await ui.press("c")
        ui.expect("on: looks and says what it would do", "changes nothing outside this machine")
        ui.later()
        await ui.press("enter")
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert plan.check


async def test_retire_wants_the_hosts_name_typed_and_then_y(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("j", "D")
        ui.expect("destroys, and cannot be taken back", "type dns01 first", "pvenix retire dns01 --confirm dns01")
        ui.later()
        await ui.type("dns0")
        await ui.press("enter", "enter")
        ui.expect_error("dns0 is not dns01")
        assert not ui.started()
        await ui.type("1")
        ui.later()
        await ui.press("enter")
        ui.expect_error("Enter is never yes here; y is")
        assert not ui.started()
        await ui.confirm()
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert plan.hosts == ("dns01",)


async def test_retire_says_why_it_takes_one_host_at_a_time(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("space", "space", "D")
        ui.expect("retire: one host at a time: its name is typed to confirm")
        assert not ui.started()


async def test_the_onboarding_plans_all_its_verbs_with_a_pause_before_each(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("o")
        ui.expect("onboard tappaas-cicd", "before every step")
        ui.expect("pvenix run playbooks/onboard.yaml -l tappaas-cicd --step")
        await ui.press("s")
        ui.expect("Pauses   none")
        await ui.press("s")
        await ui.confirm()
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert plan.step
        assert tuple(task.verb for play in plan.plays for task in play.tasks) == ONBOARDING


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
@pytest.mark.parametrize("opening", ["x", ":", "?"])
async def test_the_keys_that_leave_do_so_from_a_list_to_choose_from(open_ui: OpenUi, opening: str, key: str) -> None:
    async with open_ui() as ui:
        await ui.press(opening)
        await ui.pilot.press(key)
        await ui.pilot.pause()
        assert ui.app.return_code == 0


async def test_a_hosts_screen_shows_facts_generations_and_where_settings_come_from(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("j", "j", "j", "enter")
        ui.expect("~ drifted", "vllm.service", "configuration.nix", "230 on tappaas2")
        await ui.press("right_square_bracket")
        ui.expect("42   2026-11-14", "9be0142aa77d")
        await ui.press("j", "b")
        ui.expect("tappaas-vllm  43 to 42")
        await ui.press("escape", "right_square_bracket", "right_square_bracket")
        ui.expect('network.zone = "srvHome"', "inventory/hosts.yaml:41", 'beats "srvWork"')


async def test_the_history_names_the_commits_of_main(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("H")
        ui.expect("Open port 8000 for vllm", "Bump nixpkgs")


async def test_roles_and_groups_filter_the_table(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("0")
        await ui.type("ai")
        await ui.press("enter")
        assert ui.app.session.fleet.visible == ("tappaas-vllm", "tappaas-litellm")


async def test_a_plan_that_cannot_be_made_says_why_and_starts_nothing(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        del backend.fleet_now.hosts["tappaas-cicd"]
        await ui.press("r")
        ui.expect("no host is called tappaas-cicd", "cannot be planned")
        await ui.confirm()
        ui.expect_error("start: there is no plan")
        assert not ui.started()


async def test_a_start_that_fails_is_told_and_can_be_tried_again(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await ui.press("r")
        backend.unreachable = "the disk is full"
        await ui.confirm()
        ui.expect_error("the disk is full; is the site up?")
        backend.unreachable = ""
        await ui.confirm()
        assert len(ui.started()) == 1


async def test_help_lists_this_screens_actions_with_reasons_and_runs_the_chosen_one(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("question_mark")
        ui.expect("enter", "mark all", "rebuild")
        await ui.type("histor")
        await ui.press("enter")
        ui.expect("history of main")


async def test_the_palette_names_every_action_once_and_starts_a_verb_by_name(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("ctrl+p")
        await ui.type("retire")
        assert "D" in ui.line("destroys")
        await ui.press("escape", "ctrl+p")
        await ui.type("cloudinit")
        await ui.press("enter")
        ui.expect("pvenix cloudinit tappaas-cicd")


async def test_the_mouse_reaches_rows_areas_and_the_footers_keys(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.pilot.click("#hosts", offset=(20, 3))
        await ui.settle()
        ui.expect("nix-cache01  < behind")
        await ui.pilot.click("#footer", offset=(ui.text().splitlines()[-1].index("rebuild"), 0))
        await ui.settle()
        ui.expect("pvenix rebuild nix-cache01")
        await ui.pilot.click("#bar", offset=(ui.text().index("3 Reviews"), 0))
        await ui.settle()
        ui.expect("registration/tappaas-litellm")


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_every_usual_way_out_leaves_and_closes_the_connections(
    open_ui: OpenUi, backend: FakeBackend, key: str
) -> None:
    async with open_ui() as ui:
        await ui.pilot.press(key)
        await ui.pilot.pause()
        assert ui.app.return_code == 0
    assert ("close",) in backend.calls


async def test_colour_is_never_the_only_sign_of_a_state(open_ui: OpenUi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_ui() as ui:
        ui.expect("+ in sync", "< behind", "~ drifted", ". no VM", "o unreachable")


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (160, 48), (60, 15)])
async def test_every_size_shows_the_hosts_and_the_help_key(open_ui: OpenUi, size: tuple[int, int]) -> None:
    async with open_ui(size) as ui:
        ui.expect("tappaas-vllm", "? help")
        assert all(len(line) <= size[0] for line in ui.text().splitlines())


async def test_a_key_right_behind_the_filters_enter_is_a_key_and_not_text(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("slash", "d", "n", "s")
        for key in ("enter", "x"):
            ui.app.simulate_key(key)
        await ui.settle()
        ui.expect("Verbs for dns01")


async def test_a_filter_that_comes_with_its_enter_in_one_burst_is_kept(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("slash")
        for key in ("d", "n", "s", "enter"):
            ui.app.simulate_key(key)
        await ui.settle()
        ui.expect("filter: dns")
        ui.expect_not("tappaas-vllm")
