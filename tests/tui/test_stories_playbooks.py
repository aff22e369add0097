"""Playbooks: found, read, given their parameters, planned, and run; a broken one says where."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from pvenix.cli.commands.run import command as run_command
from pvenix.model.plan import RunPlan
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_playbooks import BACK, BROKEN, REBUILD

pytestmark = pytest.mark.tui


@pytest.fixture
def backend(tmp_path: Path) -> FakeBackend:
    backend = FakeBackend(tmp_path)
    backend.add_playbook("all.yaml", REBUILD)
    backend.add_playbook("back.yaml", BACK)
    return backend


async def open_playbook(ui: Ui, name: str) -> None:
    """Go to the area and open one."""
    await ui.do("app.playbooks")
    await ui.go_to(f"playbooks/{name}.yaml")
    await ui.do("playbooks.open")
    ui.later()  # the same key again right behind it would be one that was held down
    ui.expect_screen("playbook")


async def give(ui: Ui, parameter: str, text: str) -> None:
    """Type a parameter of the form."""
    await ui.go_to(parameter)
    await ui.do("playbook.change")
    await ui.type(text)
    await ui.press("enter")
    ui.later()


def planned(ui: Ui) -> RunPlan:
    """The only plan that was started."""
    [plan] = ui.started()
    assert isinstance(plan, RunPlan)
    return plan


def options(line: str) -> dict[str, object]:
    """What the command line makes of a line that the screen shows."""
    words = shlex.split(line)
    assert words[:2] == ["pvenix", "run"]
    context = run_command.make_context("run", words[2:])
    return dict(context.params)


async def test_every_playbook_is_listed_with_what_it_does_and_never_ran(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.playbooks")
        ui.expect_in_row("playbooks/all.yaml", "all", "2", "never", "Bring every host to")
        ui.expect("Hosts that cannot be built stay as they")


async def test_a_broken_playbook_is_listed_with_the_line_and_cannot_be_run(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.add_playbook("broken.yaml", BROKEN)
    async with open_ui() as ui:
        await ui.do("app.playbooks")
        await ui.go_to("playbooks/broken.yaml")
        ui.expect("playbooks/broken.yaml:5:7", "unknown verb `rebiuld`", "did you mean `rebuild`?")
        await ui.do("playbook.run")
        ui.expect_error("run: it is broken")
        await ui.do("playbooks.open")
        ui.expect("playbooks/broken.yaml:5:7", "Nobody can run this")


async def test_parameters_make_the_plan_and_the_very_command_line_that_the_cli_takes(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await open_playbook(ui, "all")
        await give(ui, "limit", "core")
        await give(ui, "tags", "activate")
        await give(ui, "forks", "4")
        await ui.do("playbook.check")
        line = ui.line("-t activate").strip()
        assert line == "pvenix run playbooks/all.yaml -l core -t activate -f 4 --check"
        found = options(line)
        assert (found["playbook"], found["tags"]) == ("playbooks/all.yaml", ("activate",))
        assert (found["limit"], found["forks"], found["check"]) == ("core", 4, True)
        await ui.do("playbook.run")
        ui.expect("changes nothing outside this machine", "wave 1 of 3", "Activate, in 3 waves")
        ui.later()
        await ui.press("enter")
        plan = planned(ui)
        assert plan.check
        assert [play.waves for play in plan.plays if play.tasks] == [(("tappaas-cicd",), ("dns01",), ("nix-cache01",))]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 48)])
async def test_every_parameter_says_what_it_is_at_every_width(open_ui: OpenUi, size: tuple[int, int]) -> None:
    async with open_ui(size) as ui:
        await open_playbook(ui, "back")
        ui.expect("WHAT IT IS")
        ui.expect_in_row("limit", "only these of")


async def test_a_value_that_some_task_needs_is_asked_for_before_the_plan(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await open_playbook(ui, "back")
        ui.expect_in_row("-e to", "needed", "the generation's number")
        await ui.do("playbook.run")
        ui.expect_error("run: -e to is needed first")
        await ui.go_to("-e to")
        await ui.do("playbook.change")
        await ui.type("many")
        await ui.press("enter")
        ui.expect("many is no number")
        await ui.press(*["backspace"] * 4)
        await ui.type("41")
        await ui.press("enter")
        await give(ui, "limit", "dns01")
        await ui.do("playbook.run")
        ui.expect("pvenix run playbooks/back.yaml -l dns01 -e to=41", "Undo     pvenix rollback")
        ui.later()
        await ui.press("G", "y")
        assert planned(ui).plays[0].tasks[0].args == {"to": 41}


@pytest.mark.parametrize(
    ("parameter", "text", "why"),
    [
        ("limit", "nobody", "nobody"),
        ("tags", "deploy", "no task has the tag deploy; there are look, activate"),
        ("forks", "none", "a number from 1 to 1000"),
    ],
)
async def test_what_cannot_be_is_said_while_it_is_typed(open_ui: OpenUi, parameter: str, text: str, why: str) -> None:
    async with open_ui() as ui:
        await open_playbook(ui, "all")
        await give(ui, parameter, text)
        ui.expect_dialog(parameter)
        ui.expect(why)


async def test_the_last_parameters_are_there_again_but_for_what_only_looked(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await open_playbook(ui, "all")
        await give(ui, "limit", "ai")
        await ui.do("playbook.check")
        await ui.press("escape")
        await ui.do("playbooks.open")
        ui.expect_in_row("limit", "ai")
        ui.expect_not("--check")
        await ui.go_to("limit")
        await ui.do("playbook.clear")
        ui.expect_in_row("limit", "all of them")


async def test_an_edited_playbook_is_read_again(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await open_playbook(ui, "back")
        edited: list[Sequence[str]] = []

        async def editor(argv: Sequence[str], *, cwd: Path | None = None) -> int:
            edited.append(argv)
            assert cwd == backend.root
            backend.add_playbook("back.yaml", BACK.replace("      rollback:", "      rollback: {to: 40}"))
            return 0

        ui.app.session.run_outside = editor
        await ui.do("playbook.edit")
        assert edited[0][-1] == str(backend.root / "playbooks/back.yaml")
        ui.expect_in_row("-e to", "40")
        await ui.do("playbook.run")
        ui.expect("pvenix run playbooks/back.yaml")


async def test_a_playbook_without_a_host_in_common_with_the_limit_says_so(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.add_playbook("core.yaml", REBUILD.replace("hosts: all", "hosts: core"))
    async with open_ui() as ui:
        await open_playbook(ui, "core")
        await give(ui, "limit", "ai")
        await ui.do("playbook.run")
        ui.expect("playbooks/core.yaml and ai have no host in common", "there is no plan")
