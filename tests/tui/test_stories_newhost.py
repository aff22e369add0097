from __future__ import annotations

import threading

import pytest

from pvenix.model.newhost import NewHost, Placing, Trial
from pvenix.model.plan import RunPlan
from pvenix.model.verbs import ONBOARDING
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui


async def fill(ui: Ui, **texts: str) -> None:
    """Open the form and type into its fields, in their order."""
    await ui.do("fleet.new")
    for field in ("name", "roles", "groups", "class", "cores", "memory", "disk", "zone", "address", "node", "template"):
        await ui.type(texts.get(field, ""))
        if field != "template":
            await ui.press("tab")


def hold_trials(backend: FakeBackend) -> tuple[threading.Event, threading.Event]:
    """Let the next trial of the fleet take until it may go on; when it has begun, and what lets it go on."""
    tries, tried, may_try = backend.try_host, threading.Event(), threading.Event()

    def slow(new: NewHost) -> Trial:
        tried.set()
        may_try.wait(60)
        return tries(new)

    backend.try_host = slow  # type: ignore[method-assign]
    return tried, may_try


async def test_every_field_shows_at_80x24_with_its_default_and_who_says_so(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.new")
        ui.expect_screen("newhost")
        for label in ("name", "roles", "groups", "class", "cores", "memory", "disk", "zone", "address", "node"):
            ui.expect(f" {label}")
        assert "small" in ui.line(" class   ")
        assert "site defaults, inventory/site.yaml:21" in ui.line(" class   ")
        assert "dhcp" in ui.line(" address  ")
        ui.expect("a name is needed", "how the inventory, DNS and Proxmox will call it")


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("web_01", "is not a host name: use letters, digits and inner hyphens"),
        ("dns01", "dns01 is taken: inventory/hosts.yaml:5"),
        ("old01", "old01 was retired: its tombstone at inventory/hosts.yaml:6"),
        ("core", "core is the name of a group"),
    ],
)
async def test_a_name_that_will_not_do_says_why_as_it_is_typed(open_ui: OpenUi, typed: str, why: str) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.new")
        await ui.type(typed)
        ui.expect(why)


async def test_what_is_wrong_stands_at_its_field_and_the_plan_goes_to_the_first_of_it(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await fill(ui, name="web01", roles="base dsn", memory="4Q", zone="core13", address="10.69.14.9/24")
        assert "there is no role `dsn`" in ui.line(" roles   ")
        assert "'4Q' is not a size" in ui.line(" memory  ")
        assert "outside zone `core13`" in ui.line(" address  ")
        await ui.press("ctrl+s")
        ui.expect_error("roles: there is no role `dsn` in site.yaml; did you mean `dns`?")
        ui.expect_screen("newhost")
        ui.expect("what it is for; several")


async def test_a_class_changes_the_defaults_below_it(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await fill(ui, name="web01")
        assert "32G" in ui.line(" disk    ")
        await ui.press("f2")
        ui.expect_dialog("Which template?")
        await ui.press("escape", "escape", "n")
        await ui.press("tab", "tab", "tab")
        await ui.type("medium")
        assert "40G" in ui.line(" disk    ")
        assert "class medium" in ui.line(" disk    ")


async def test_roles_are_picked_from_the_inventory_one_after_the_other(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.new")
        await ui.type("web01")
        await ui.press("tab", "f2")
        ui.expect_dialog("Which roles?")
        ui.expect("role-dns; opens tcp 53")
        await ui.press("enter", "f2", "down", "enter")
        assert "base dns" in ui.line(" roles   ")
        await ui.press("f2", "enter")
        assert "base" not in ui.line(" roles   ").split("role-")[0]


async def test_a_free_address_of_the_zone_is_proposed(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await fill(ui, name="web01", zone="core13")
        await ui.press("up", "up", "f2")
        ui.expect_dialog("Which address?")
        await ui.press("down")
        ui.expect("10.69.13.6/24", "in the inventory; see that", "its DHCP does not give it away")
        await ui.press("enter")
        assert "10.69.13.6/24" in ui.line(" address  ")


async def test_help_has_a_key_while_a_field_has_the_others(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.new")
        ui.expect("f1 help")
        await ui.press("f1")
        ui.expect_dialog("Keys and actions")


async def test_a_field_that_is_left_before_it_was_tried_is_placed_once_it_was(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await fill(ui, name="web01", roles="base")
        await ui.press("up", "up")
        _, may_try = hold_trials(backend)
        for key in ("up", *"core13", "tab", "f5"):
            ui.send(key)
        await ui.until(lambda: " zone     core13" in ui.text())
        may_try.set()
        await ui.settle()
        assert not ui.line(" place  tappaas2").endswith("?"), "it is the place of what the form says now"


@pytest.mark.parametrize(("field", "typed", "label"), [("name", "dns01", " name  "), ("cores", "abc", " cores  ")])
async def test_what_was_wrong_with_another_text_does_not_stand_beside_this_one(
    open_ui: OpenUi, backend: FakeBackend, field: str, typed: str, label: str
) -> None:
    async with open_ui() as ui:
        await fill(ui, **{"name": "web01", field: typed})
        while ui.app.focused is not ui.app.screen.query_one(f"#ask-{field}"):
            await ui.press("up")
        assert "!" in ui.line(label)
        tried, may_try = hold_trials(backend)
        ui.send("9")
        await ui.until(lambda: "9" in ui.line(label) and tried.is_set())
        assert "!" not in ui.line(label)
        may_try.set()
        await ui.settle()


async def test_placement_says_where_it_would_go_and_a_node_can_be_chosen_instead(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await fill(ui, name="web01")
        ui.expect("tappaas2, storage tanka1, VM id 210")
        assert "would go to tappaas2" in ui.line(" node    ")
        await ui.press("up", "f2")
        ui.expect_dialog("Which node?")
        ui.expect("80.0 points; a full clone", "tappaas3")
        await ui.press("down", "down", "enter")
        assert "tappaas1" in ui.line(" node    ")


async def test_a_host_that_no_node_can_take_is_not_onboarded_but_its_line_may_be_written(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async def nowhere(new: NewHost) -> Placing:
        return Placing(words="no node can take it: tappaas1 has 2G of memory left")

    backend.place_host = nowhere  # type: ignore[method-assign]
    async with open_ui() as ui:
        await fill(ui, name="web01")
        await ui.press("ctrl+s")
        ui.expect("no node can take it: tappaas1 has 2G of memory left", "esc: another size, node or template")
        ui.expect("no place for it: esc changes size or node, o writes the line only")
        ui.later(1)
        await ui.press("y")
        ui.expect_error("no place for it")
        ui.expect_screen("plan")
        assert not [call for call in backend.calls if call[0] == "add"], "nothing was written"
        await ui.press("o", "enter")
        ui.later(1)
        await ui.press("y")
        assert [call[0] for call in backend.calls if call[0] in ("add", "start")] == ["add"]


async def test_a_cluster_that_does_not_answer_keeps_nobody_from_planning(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        backend.unreachable = "https://n1:8006 does not answer"
        await fill(ui, name="web01")
        ui.expect("n1:8006 does not answer")
        await ui.press("ctrl+s")
        ui.expect_screen("plan")


async def test_what_is_typed_in_one_burst_goes_to_the_field_that_the_keys_say(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.new")
        for key in ("w", "e", "b", "tab", "d", "n", "s", "enter", "a", "p", "p", "s", "up", "0", "1"):
            ui.app.simulate_key(key)
        await ui.settle()
        assert ui.line(" name     ").split()[:2] == ["name", "web"]
        assert ui.line(" roles    ").split()[:2] == ["roles", "dns01"]
        assert ui.line(" groups   ").split()[:2] == ["groups", "apps"]


async def test_esc_loses_nothing_and_the_draft_is_offered_again(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.new")
        await ui.type("web01")
        await ui.press("tab")
        await ui.type("dns")
        await ui.press("escape")
        ui.expect_screen("fleet")
        ui.expect("kept as a draft")
        await ui.do("fleet.new")
        ui.expect("this is the draft that you left; f4 starts over")
        assert "web01" in ui.line(" name    ")
        await ui.press("f4")
        assert "web01" not in ui.line(" name    ")


async def test_the_plan_shows_the_lines_the_place_and_the_steps_and_y_adds_and_onboards(open_ui: OpenUi) -> None:
    async with open_ui((120, 48)) as ui:
        await fill(ui, name="web01", roles="base dns", groups="core", cores="4", zone="core13")
        ui.expect("writes inventory/hosts.yaml", "+        web01:")
        await ui.press("enter")
        ui.expect("new host web01", "+            roles: [base, dns]", "+            cores: 4", "Place")
        ui.expect("pvenix host add web01 --role base --role dns --group core cores=4 --zone core13")
        ui.expect("10 rebuild")
        ui.expect("the wizard's z takes the VM and the branch back")
        ui.later()
        await ui.press("y")
        [added] = [call[1] for call in ui.backend.calls if call[0] == "add"]
        assert isinstance(added, NewHost)
        assert (added.name, added.groups, added.machine["cores"]) == ("web01", ("core",), 4)
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert plan.step
        assert tuple(task.verb for play in plan.plays for task in play.tasks) == ONBOARDING
        ui.expect_screen("wizard")
        assert not ui.app.session.memory.table("newhost.draft")


async def test_asking_twice_while_the_fleet_is_tried_makes_one_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await fill(ui, name="web01")
        tried, may_try = hold_trials(backend)
        ui.send("ctrl+s")
        ui.send("ctrl+s")
        await ui.until(tried.is_set)
        may_try.set()
        await ui.settle()
        ui.expect("new host web01")
        await ui.press("escape")
        ui.expect_screen("newhost")


async def test_only_the_line_is_written_where_that_is_wanted(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await fill(ui, name="web01")
        await ui.press("ctrl+s", "o", "enter")
        ui.expect("Reach")
        ui.expect_not("--step")
        ui.later()
        await ui.press("y")
        ui.expect("web01 is in inventory/hosts.yaml (staged, and committed by its registration);", "o onboards it")
        assert not ui.started()


async def test_a_run_that_cannot_be_started_does_not_write_the_line_twice(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = backend.start_detached

    def full(plan: RunPlan) -> object:
        backend._reach()
        return start(plan)

    async with open_ui() as ui:
        await fill(ui, name="web01")
        await ui.press("ctrl+s")
        add = backend.add_host

        async def then_away(new: NewHost) -> object:
            added = await add(new)
            backend.unreachable = "the disk is full"
            return added

        monkeypatch.setattr(backend, "add_host", then_away)
        monkeypatch.setattr(backend, "start_detached", full)
        ui.later()
        await ui.press("y")
        ui.expect_error("the disk is full")
        backend.unreachable = ""
        ui.later()
        await ui.press("y")
        ui.expect_screen("wizard")
        assert sum(call[0] == "add" for call in backend.calls) == 1
