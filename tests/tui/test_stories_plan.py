"""The plan, the only place from which something starts: what it foretells, what it waits for, how it is confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.engine.durations import Durations
from pvenix.lifecycle.gates import Gate
from pvenix.model.events import Command, StepEnded
from pvenix.model.plan import RunPlan
from pvenix_tui.widgets.rows import Rows
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui
A = "tappaas-cicd"


def produce(backend: FakeBackend, *hosts: str) -> None:
    """Put hosts into the group of the production."""
    for name in hosts:
        host = backend.fleet_now.hosts[name]
        backend.fleet_now.hosts[name] = replace(host, groups=(*host.groups, "prod"))


async def menu(ui: Ui, verb: str) -> None:
    """Choose a verb from the menu."""
    await ui.do("host.verbs")
    await ui.type(verb)
    await ui.press("enter")


async def test_the_plan_says_how_long_it_takes_by_what_it_took(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.times = Durations(by_verb={"rebuild": (100.0,)}, by_host={("rebuild", A): (120.0, 140.0)})
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        ui.expect("Takes    about 02:10, as its last runs took")
        await ui.press("escape")
        await menu(ui, "backup")
        ui.expect("Takes    not known: backup never worked here yet")


async def test_approvals_and_shut_windows_are_foretold(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.gates_now = (
        Gate(host=A, text="asks for an approval: role cicd has every change approved", sure=True),
        Gate(host=A, text="its window is shut now: it waits until Sat 2026-11-21 02:00 UTC", sure=True),
        Gate(host="dns01", text="asks for an approval if it touches unbound.service (role dns)", sure=False),
    )
    async with open_ui((120, 36)) as ui:
        await ui.do("host.rebuild")
        ui.expect("Waits    asks for an approval: role cicd", "it waits until Sat 2026-11-21 02:00 UTC")
        ui.expect_not("unbound")
        await ui.press("escape")
        await ui.do("fleet.mark", "fleet.mark", "host.rebuild")
        ui.expect("tappaas-cicd: its window is shut now", "dns01: asks for an approval if it touches unbound.service")


async def test_a_dry_run_tells_the_exact_commands_while_the_plan_shows(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.do("host.rebuild", "plan.commands")
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert plan.check
        run = ui.run()
        backend.emit(run, Command, host=A, step="0.0.rebuild", channel="ssh", text="ls /", writes=False)
        backend.emit(run, Command, host=A, step="0.0.rebuild", channel="ssh", text="sudo -n nix build", writes=True)
        summary = "runs 9be0142aa7, main is at 3f2c1a9b77"
        backend.emit(run, StepEnded, host=A, step="0.0.rebuild", verb="rebuild", status="pending", summary=summary)
        await ui.tick()
        ui.expect("$ sudo -n nix build", "^ pending", summary, "at work")
        ui.expect_not("ls /")
        backend.end_run(run, 3)
        await ui.tick()
        ui.expect("at its end")
        ui.later()
        await ui.press("G", "y")
        assert [started.check for started in ui.started() if isinstance(started, RunPlan)] == [True, False]


async def test_how_it_is_undone_stands_on_the_plan_or_why_it_cannot_be(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.do("host.rebuild")
        ui.expect("Undo     pvenix rollback tappaas-cicd --before RUN")
        await ui.press("escape")
        await menu(ui, "collect-garbage")
        ui.expect("Undo     cannot be undone: what nothing needed was deleted", "is not kept: read to the end, then y")


async def test_one_host_of_the_production_is_read_to_its_end_first(open_ui: OpenUi, backend: FakeBackend) -> None:
    produce(backend, A)
    async with open_ui((80, 16)) as ui:
        await ui.do("host.rebuild")
        ui.expect("production (tappaas-cicd): read to the end, then y")


async def test_three_hosts_of_the_production_have_their_number_typed(open_ui: OpenUi, backend: FakeBackend) -> None:
    produce(backend, A, "dns01", "nix-cache01")
    async with open_ui((120, 36)) as ui:
        await ui.do("fleet.mark", "fleet.mark", "fleet.mark", "host.rebuild")
        ui.expect("3 production hosts at once", "type 3 first")
        ui.later()
        await ui.type("2")
        await ui.press("enter")
        ui.expect_error("2 is not 3")
        await ui.press("backspace")
        await ui.type("3")
        await ui.confirm()
        assert len(ui.started()) == 1


async def test_in_read_only_a_plan_says_why_it_does_not_start_and_a_dry_run_does(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        ui.app.session.preferences = replace(ui.app.session.preferences, read_only=True)
        await ui.confirm()
        ui.expect_error("start: read-only")
        assert not ui.started()
        await ui.do("plan.check")
        await ui.confirm()
        assert len(ui.started()) == 1


async def test_what_would_end_pvenix_itself_is_refused_in_the_menu(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.own = frozenset({A})
    async with open_ui() as ui:
        await ui.do("host.verbs")
        await ui.type("shutdown")
        ui.expect("not now: tappaas-cicd runs pvenix; shutdown would cut the branch it sits")
        await ui.press("escape")
        await menu(ui, "rebuild")
        ui.expect_screen("plan")


async def test_an_option_that_would_end_pvenix_itself_leaves_no_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.own = frozenset({A})
    async with open_ui() as ui:
        await menu(ui, "migrate")
        ui.later()
        await ui.press("enter")
        ui.expect("pvenix migrate tappaas-cicd --to tappaas2")
        await ui.do("plan.options")
        ui.later()
        await ui.press("enter")
        ui.expect("tappaas-cicd runs pvenix; migrate --offline would cut", "there is no plan")
        await ui.do("plan.options")
        ui.later()
        await ui.press("enter")
        ui.expect("pvenix migrate tappaas-cicd --to tappaas2")


async def test_only_a_generation_that_is_kept_can_be_let_go_of(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await menu(ui, "unpin-generation")
        ui.expect_dialog("Let go of which generation of tappaas-cicd?")
        ui.expect("not now: it is not pinned")


async def test_a_rebuild_names_the_commits_that_it_brings(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.go_to("nix-cache01")
        await ui.do("host.rebuild")
        ui.expect("Brings   3f2c1a9 from 9be0142, 1 commit (nix-cache01)", "3f2c1a9 Open port 8000 for vllm")


async def test_the_plan_of_a_rebuild_says_which_edits_it_puts_aside(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.go_to("tappaas-vllm")
        await ui.do("host.rebuild")
        ui.expect("Edits    1 of tappaas-vllm is put aside there (git stash): configuration.nix")


async def test_lines_that_are_drawn_before_the_window_told_their_width_are_wrapped_for_it(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        rows = ui.app.screen.query_one("#plan", Rows)
        rows._width = 1  # as it is between mounting and the first word of its size
        rows.source.layout(1)
        drawn = [rows.render_line(y).text for y in range(rows.size.height)]
        assert rows._width > 1
        assert [rows.render_line(y).text for y in range(rows.size.height)] == drawn
        assert any("what it ran before" in line for line in drawn)


async def test_who_goes_to_another_area_is_done_with_the_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        ui.expect_screen("plan")
        await ui.press("2")
        ui.expect_screen("runs")
        await ui.press("1")
        ui.expect_screen("fleet")
        await ui.press("y")
        assert not [call for call in backend.calls if call[0] == "start_detached"]
