"""Verbs that have to be told something, and those that destroy: from the menu to the plan that is started."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from typing_extensions import override

from pvenix.model.plan import ArgValue, RunPlan
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_inventory import FakeField, FakeFleet, FakeOrigin

pytestmark = pytest.mark.tui
HOST = "tappaas-cicd"


async def choose(ui: Ui, verb: str) -> None:
    """Choose a verb from the menu."""
    await ui.press("x")
    await ui.type(verb)
    await ui.press("enter")
    ui.later()  # the same key again right behind it would be one that was held down


async def start(ui: Ui) -> Mapping[str, ArgValue]:
    """Say yes to the plan that shows; the arguments of its only task."""
    await ui.confirm()
    [plan] = ui.started()
    assert isinstance(plan, RunPlan)
    [task] = plan.plays[0].tasks
    return task.args


async def test_a_restore_goes_to_the_snapshot_that_was_chosen_once_its_price_was_read_and_the_name_typed(
    open_ui: OpenUi,
) -> None:
    async with open_ui() as ui:
        await choose(ui, "restore")
        ui.expect("Put tappaas-cicd back to which snapshot?", "2026-11-20 09:20:00", "after before-42: ana was here")
        await ui.press("down")
        ui.expect("the first: pvenix: before generation 42")
        await ui.press("enter")
        ui.expect("At stake what VM 200 has written since before-42 is lost", "type tappaas-cicd first")
        ui.expect("pvenix restore tappaas-cicd --to before-42 --confirm tappaas-cicd")
        await ui.confirm()
        assert not ui.started()
        await ui.press("backspace")
        await ui.type("dns01")
        await ui.press("enter")
        ui.expect("! dns01 is not tappaas-cicd")
        await ui.press(*["backspace"] * 5)
        await ui.type(HOST)
        assert await start(ui) == {"to": "before-42", "confirm": HOST}


async def test_a_snapshot_that_is_half_gone_can_be_deleted_but_not_gone_back_to(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "restore")
        await ui.type("half")
        ui.expect("not now: it is not whole (delete)")
        await ui.press("enter")
        ui.expect("Put tappaas-cicd back to which snapshot?")
        await ui.press("escape")
        await choose(ui, "delete-snapshot")
        await ui.type("half")
        await ui.press("enter")
        ui.expect("pvenix delete-snapshot tappaas-cicd --name half --confirm")


async def test_a_generation_is_chosen_to_be_pinned(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "pin-generation")
        ui.expect("Keep which generation of tappaas-cicd?")
        await ui.press("enter")
        ui.expect("pvenix generations pin tappaas-cicd 43")
        assert await start(ui) == {"number": 43}


async def test_deleting_a_snapshot_of_somebody_else_says_that_it_is_theirs(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "delete-snapshot")
        assert "theirs" in ui.line("manual  ")
        await ui.type("manual")
        await ui.press("enter")
        ui.expect("--name manual --confirm", "tappaas-cicd --theirs")
        await ui.type(HOST)
        assert await start(ui) == {"name": "manual", "confirm": HOST, "theirs": True}


async def test_a_host_without_snapshots_says_how_one_is_taken(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.snapshots_now = ()
    async with open_ui() as ui:
        await choose(ui, "restore")
        ui.expect("! restore: tappaas-cicd has no snapshot; pvenix snapshot tappaas-cicd takes one")


@pytest.mark.parametrize("verb", ["restore", "delete-snapshot", "migrate", "pin-generation"])
async def test_a_far_side_that_does_not_answer_is_said_once_and_asked_again(
    open_ui: OpenUi, backend: FakeBackend, verb: str
) -> None:
    async with open_ui() as ui:
        backend.unreachable = "tappaas1 does not answer"
        await choose(ui, verb)
        ui.expect("tappaas1 does not answer; is the site up?")
        backend.unreachable = ""
        await choose(ui, verb)
        ui.expect_not("does not answer")
        ui.expect("which" if verb != "delete-snapshot" else "Delete which")


async def test_a_migration_goes_to_the_chosen_node_which_is_online_and_another(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "migrate")
        ui.expect("Move tappaas-cicd to which node?", "48 of 64 GiB")
        await ui.press("up")
        ui.expect("not now: it is there already")
        await ui.press("down", "down")
        ui.expect("not now: the node is offline")
        await ui.press("up", "enter")
        ui.expect("pvenix migrate tappaas-cicd --to tappaas2")
        await ui.press("o", "enter")
        ui.expect("--to tappaas2 --offline")
        assert await start(ui) == {"to": "tappaas2", "offline": True}


async def test_several_hosts_move_to_one_node_in_one_plan(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("space", "space")
        await choose(ui, "migrate")
        await ui.type("tappaas1")
        await ui.press("enter")
        ui.expect("pvenix migrate tappaas-cicd dns01 --to tappaas1")


@pytest.mark.parametrize("verb", ["destroy", "retire"])
async def test_what_goes_with_a_vm_stands_on_the_plan_that_destroys_it(open_ui: OpenUi, verb: str) -> None:
    async with open_ui() as ui:
        await choose(ui, verb)
        ui.expect("At stake backup job nightly (daily, to pbs) names it", "no backup is made before")
        await ui.type(HOST)
        assert await start(ui) == {"confirm": HOST}


async def test_nothing_is_destroyed_while_it_is_not_known_what_goes_with_it(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        backend.unreachable = "tappaas1 does not answer"
        await ui.press("D")
        ui.expect("At stake tappaas1 does not answer", "what goes with it is not known; ctrl+r reads it again")
        await ui.type(HOST)
        await ui.confirm()
        ui.expect_error("start: what goes with it is not known; ctrl+r reads it again")
        assert not ui.started()
        backend.unreachable = ""
        await ui.press("ctrl+r")
        ui.expect("names it", "y start: retire")
        await ui.press("y")  # what just came has not been read
        assert not ui.started()
        assert await start(ui) == {"confirm": HOST}


async def test_what_is_at_stake_has_to_be_read_to_its_end_while_the_name_is_typed(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.stake = tuple(f"backup job {number} names it" for number in range(30))
    async with open_ui() as ui:
        await ui.press("D")
        ui.expect("read the plan to its end first (pgdn)", "more below: pgdn")
        await ui.type(HOST)
        await ui.confirm()
        ui.expect_error("start: read the plan to its end first (pgdn)")
        assert not ui.started()
        await ui.press("pagedown", "pagedown", "pagedown")
        ui.expect_not("more below")
        assert await start(ui) == {"confirm": HOST}


async def test_the_keys_of_the_plan_wait_behind_tab_while_a_name_is_typed(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("D", "c")
        ui.expect("off: changes are made", "tab the keys")
        await ui.press("tab", "s", "c")
        ui.expect("on: looks and says what it would do", "before every step", "enter or y start")
        assert await start(ui) == {"confirm": HOST}


async def test_what_a_verb_can_be_told_besides_is_on_its_plan(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "shutdown")
        await ui.press("o")
        ui.expect("Options of shutdown tappaas-cicd", "not set")
        await ui.press("enter")
        await ui.type("soon")
        await ui.press("enter")
        ui.expect("soon is no number")
        await ui.press(*["backspace"] * 4)
        await ui.type("300")
        await ui.press("enter")
        ui.expect("pvenix shutdown tappaas-cicd --grace 300")
        await ui.press("o", "j", "enter")
        ui.expect("--grace 300 --force")
        await ui.press("o", "j", "enter", "o", "enter", "backspace", "backspace", "enter")
        ui.expect("Command  pvenix shutdown tappaas-cicd --grace 3 ")
        assert await start(ui) == {"grace": 3}


async def test_an_option_that_is_emptied_is_taken_back(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "snapshot")
        await ui.press("o", "enter")
        await ui.type("x")
        await ui.press("enter")
        ui.expect("pvenix snapshot tappaas-cicd --name x")
        await ui.press("o", "enter", "backspace", "enter")
        ui.expect_not("--name")
        assert await start(ui) == {}


async def test_a_verb_without_options_says_so(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "backup")
        await ui.press("o")
        ui.expect("! options: this plan has no options")


async def test_escape_leads_back_one_level_from_everywhere_and_starts_nothing(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await choose(ui, "restore")
        await ui.press("down", "enter", "escape")
        ui.expect("Hosts 6/6")
        await choose(ui, "snapshot")
        await ui.press("o", "enter")
        await ui.type("half-typed")
        await ui.press("escape")
        ui.expect("pvenix snapshot tappaas-cicd")
        ui.expect_not("half-typed")
        await ui.press("o", "escape", "escape")
        ui.expect("Hosts 6/6")
        await ui.press("x", "escape")
        ui.expect("Hosts 6/6")
        assert not ui.started()


class FleetWithVmid(FakeFleet):
    """A fleet whose inventory names the VM of every host."""

    @override
    def explain(self, host: str, field: str | None = None) -> tuple[FakeField, ...]:
        origin = FakeOrigin(layer="host", file=f"inventory/host_vars/{host}.yaml", line=3, value=431)
        return (FakeField(field="proxmox.vmid", value=431, origins=(origin,)),)


async def test_a_host_without_a_vm_adopts_the_one_that_the_inventory_names(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.press("j", "j", "j", "j")
        await choose(ui, "adopt")
        ui.expect("! adopt: the inventory names no VM for tappaas-litellm; pvenix adopt VMID")
        backend.fleet_now = FleetWithVmid(hosts=backend.fleet_now.hosts)
        await choose(ui, "adopt")
        ui.expect("Command  pvenix adopt 431 tappaas-litellm")
        await ui.press("o", "enter")
        ui.expect("pvenix adopt 431 tappaas-litellm --rename")
        assert await start(ui) == {"rename": True}
