"""The fleet's list: filter, saved filters, marks, order, the tree beside it, what waits, and what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.widgets.rows import Rows
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_inventory import fake_status

pytestmark = pytest.mark.tui
WIDE = (120, 36)


def shown(ui: Ui) -> tuple[str, ...]:
    """The hosts that the table has, in its order."""
    rows = ui.app.screen.query_one("#hosts", Rows)
    return tuple(rows.source.key(index) for index in range(rows.source.count()))


async def test_the_filter_counts_as_it_is_typed_and_says_what_is_wrong_without_hiding_the_rest(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.filter")
        ui.expect("6 of 6 hosts", "fields role:")
        await ui.type("role:dns")
        ui.expect("1 of 6 hosts")
        assert shown(ui) == ("dns01",)
        await ui.type("x group:ai")
        ui.expect("left aside: no role is `dnsx`; did you mean `dns`?", "tappaas-vllm", "tappaas-litellm")
        assert shown(ui) == ("tappaas-vllm", "tappaas-litellm")
        await ui.press("enter")
        ui.expect("role:dnsx: left aside: no role is `dnsx`", "filter: role:dnsx group:ai")
        await ui.press("escape")
        ui.expect_not("no role is")
        assert len(shown(ui)) == 6


async def test_a_filter_is_saved_under_a_name_applied_and_dropped(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.filter")
        await ui.type("core !role:dns")
        await ui.press("enter")
        await ui.do("fleet.filters")
        ui.expect_dialog("Filters")
        await ui.press("enter")
        ui.expect_dialog("Save core !role:dns as")
        await ui.type("my core")
        await ui.press("enter", "escape")
        assert len(shown(ui)) == 6
        await ui.do("fleet.filters")
        await ui.type("my core")
        await ui.press("enter")
        assert shown(ui) == ("tappaas-cicd", "nix-cache01")
        await ui.do("fleet.filters")
        await ui.type("drop")
        await ui.press("enter")
        ui.expect("the filter my core is forgotten")
        await ui.do("fleet.filters")
        ui.expect_not("drop my core")


async def test_every_fleet_has_filters_for_what_goes_wrong(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        for name, host in (("drifted", "tappaas-vllm"), ("behind", "nix-cache01"), ("not answering", "docker01")):
            await ui.do("fleet.filters")
            await ui.type(name)
            await ui.press("enter")
            assert shown(ui) == (host,)


async def test_a_range_of_hosts_is_marked_by_two_keys_and_one_verb_makes_one_plan_of_it(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("j", "v", "j", "j")
        ui.expect_in_row("nix-cache01", "*")
        ui.expect("range of 3")
        ui.expect_not("marked")
        await ui.press("v")
        ui.expect("3 marked")
        await ui.do("host.rebuild")
        ui.expect("pvenix rebuild dns01 nix-cache01 tappaas-vllm")
        assert not ui.started()


async def test_esc_gives_up_a_range_before_the_filter_and_the_filter_before_the_marks(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("space")
        await ui.do("fleet.filter")
        await ui.type("core")
        await ui.press("enter", "v", "j")
        for left in (("1 marked", "filter: core"), ("1 marked",), ()):
            await ui.press("escape")
            ui.expect(*left)
        ui.expect_not("filter:", "marked")
        assert ui.app.is_running


async def test_marked_hosts_that_the_filter_hides_are_counted_and_still_meant(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("space", "space")
        await ui.do("fleet.filter")
        await ui.type("group:ai")
        await ui.press("enter")
        ui.expect("2 marked, 2 hidden")
        await ui.do("fleet.mark_all")
        ui.expect("4 marked, 2 hidden")
        await ui.do("fleet.unmark")
        ui.expect_not("marked")


async def test_an_order_is_chosen_turned_round_and_comes_back_with_filter_and_marks(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.order")
        await ui.go_to("name")
        await ui.press("enter")
        assert shown(ui)[:2] == ("dns01", "docker01")
        await ui.do("fleet.order")
        await ui.press("enter")
        assert shown(ui)[:2] == ("tappaas-vllm", "tappaas-litellm")
        await ui.press("space")
        await ui.do("fleet.filter")
        await ui.type("tappaas-")
        await ui.press("enter")
    del backend.fleet_now.hosts["tappaas-litellm"]
    async with open_ui() as ui:
        assert shown(ui) == ("tappaas-vllm", "tappaas-cicd")
        ui.expect("filter: tappaas-", "1 marked", "order: name")


async def test_rows_stay_where_they_are_while_readings_come_and_settle_when_the_person_rests(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.order")
        await ui.go_to("state")
        await ui.press("enter")
        ui.expect_cursor("tappaas-cicd")
        await ui.go_to("nix-cache01")
        before = shown(ui)
        ui.app.session.fleet.read(fake_later("tappaas-cicd", Sync.DRIFTED))
        ui.later(1)
        await ui.tick()
        assert shown(ui) == before
        ui.later(2)
        await ui.tick()
        assert shown(ui)[:4] == ("docker01", "tappaas-cicd", "tappaas-vllm", "nix-cache01")
        ui.expect_cursor("nix-cache01")


def fake_later(host: str, sync: Sync) -> HostStatus:
    return replace(fake_status(host, 3, sync), seen_at="2026-11-20T10:19:59.000Z")


async def test_the_attention_line_counts_what_waits_and_leads_there(open_ui: OpenUi, backend: FakeBackend) -> None:
    run = backend.runs.create(backend.plan_verb("rebuild", ["dns01"]))
    backend.end_host(run, "dns01", "failed", "unbound did not start")
    backend.end_run(run, 1, failed=1)
    async with open_ui() as ui:
        ui.expect("x 1 run failed", "o 1 not answering", "~ 1 drifted", ". 1 review open")
        await ui.do("fleet.attention")
        await ui.go_to("drift")
        await ui.press("enter")
        assert shown(ui) == ("tappaas-vllm",)
        await ui.press("escape")
        await ui.do("fleet.attention")
        await ui.go_to("failed")
        await ui.press("enter")
        ui.expect_screen("run")
        await ui.press("1")
        await ui.do("fleet.attention")
        await ui.go_to("reviews")
        await ui.press("enter")
        ui.expect_screen("reviews")


async def test_a_click_on_the_attention_line_lists_what_waits(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.pilot.click("#attentionline", offset=(20, 0))
        await ui.settle()
        ui.expect_dialog("Attention")


async def test_the_preview_says_how_the_last_run_went_and_its_key_opens_it(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    run = backend.runs.create(backend.plan_verb("rebuild", ["dns01"]))
    backend.step(run, "dns01", "rebuild", "failed", summary="unbound did not start")
    backend.end_host(run, "dns01", "failed", "unbound did not start")
    backend.end_run(run, 1, failed=1)
    async with open_ui() as ui:
        await ui.go_to("dns01")
        ui.expect_in_row("dns01", "x failed")
        ui.expect("unbound did not start", "l  opens its failed run")
        await ui.do("fleet.last_run")
        ui.expect_screen("run")


async def test_a_host_without_a_run_says_so_when_its_run_is_asked_for(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.last_run")
        ui.expect_error("none of the newest runs had this host")


async def test_the_tree_beside_the_hosts_shows_only_what_a_row_means_and_folds(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        ui.expect("show", "all hosts", "v roles", "v groups", "v nodes", "v filters")
        await ui.do("fleet.groups")
        await ui.go_to("role_vllm")
        await ui.do("fleet.open")
        assert shown(ui) == ("tappaas-vllm",)
        await ui.do("fleet.groups")
        await ui.go_to("section roles")
        await ui.do("fleet.open")
        ui.expect("> roles")
        await ui.press("escape", "escape")
        assert len(shown(ui)) == 6


async def test_where_there_is_room_what_waits_is_a_list_of_its_own(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        ui.expect("attention", "o 1 not answering")
        await ui.do("fleet.attention")
        await ui.go_to("silent")
        await ui.press("enter")
        assert shown(ui) == ("docker01",)


async def test_what_hosts_said_last_time_shows_with_its_age_before_anything_answers(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.unreachable = "tappaas1.mgmt.internal:8006 does not answer"
    backend.readings_before = {
        "dns01": replace(fake_status("dns01", 1, Sync.IN_SYNC), seen_at="2026-11-20T07:00:00.000Z")
    }
    async with open_ui() as ui:
        ui.expect_in_row("dns01", "+ in sync?", "3h", "41")
        ui.expect_in_row("docker01", "not read yet")
        assert backend.remembered_times == 1
        ui.expect("does not answer")
        backend.unreachable = ""
        await ui.press("ctrl+r")
        ui.expect_in_row("dns01", "+ in sync ")


async def test_keys_typed_right_behind_the_filters_enter_move_in_the_hosts(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.filter")
        for key in ("enter", "j", "v", "j", "v"):
            ui.app.simulate_key(key)
        await ui.settle()
        ui.expect("2 marked")
        ui.expect_cursor("nix-cache01")
