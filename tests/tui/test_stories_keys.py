"""Keys: help, palette, keys of one's own, keys that are held down, and a fleet that may only be looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pvenix_tui.actions.keymap import remap
from pvenix_tui.app import PvenixApp
from pvenix_tui.prefs import Preferences
from pvenix_tui.session import Session
from tests.tui.conftest import OpenUi
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui


@pytest.fixture(autouse=True)
def _own_keys() -> Iterator[None]:
    yield
    remap({})


def app_with(backend: FakeBackend, clock: FixedClock, preferences: Preferences) -> PvenixApp:
    return PvenixApp(Session(backend, clock=clock, preferences=preferences), ticking=False)


async def test_help_says_of_each_action_its_key_danger_command_and_why_not_now(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.do("app.help")
        ui.expect_dialog("Keys and actions")
        await ui.type("retire")
        ui.expect("D", "destroys", "pvenix retire tappaas-cicd")
        await ui.press("escape", "2", "question_mark")
        await ui.type("watch the run")
        ui.expect("not now")
        await ui.press("enter")
        ui.expect_dialog("Keys and actions")


async def test_help_runs_what_was_found(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.help")
        await ui.type("what was changed, by whom")
        await ui.press("enter")
        ui.expect_screen("journal")


async def test_a_hosts_name_in_the_palette_goes_there(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.palette")
        await ui.type("nix-cache01")
        ui.expect("go to this host")
        await ui.press("enter")
        ui.expect_screen("host")
        ui.expect("nix-cache01")


async def test_a_verb_is_typed_with_its_hosts_and_leads_to_their_plan(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.palette")
        await ui.type("rebuild core")
        ui.expect("rebuild core", "3 hosts: tappaas-cicd, dns01", "pvenix rebuild tappaas-cicd dns01 nix-cache01")
        await ui.press("enter")
        ui.expect_screen("plan")
        ui.expect("dns01", "nix-cache01")
        assert ui.started() == []


async def test_a_target_that_is_nobody_is_told_while_it_is_typed(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.palette")
        await ui.type("rebuild nosuch")
        ui.expect("not now", "nosuch")
        await ui.press("enter")
        ui.expect_dialog("Run an action")


async def test_up_brings_back_what_was_typed_before_also_in_the_next_session(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        for line in ("nix-cache01", "dns01"):
            await ui.do("app.palette")
            await ui.type(line)
            await ui.press("enter", "1")
    async with open_ui() as ui:
        await ui.do("app.palette")
        await ui.press("up")
        ui.expect("dns01", "go to this host")
        await ui.press("up", "enter")
        ui.expect_screen("host")
        ui.expect("nix-cache01")


async def test_keys_of_ones_own_count_in_bindings_footer_and_help(backend: FakeBackend) -> None:
    clock = FixedClock()
    keys = {"app.journal": ("f9", "ctrl+j"), "fleet.open": ("f8",), "list.down": ("down", "f2"), "app.help": ()}
    app = app_with(backend, clock, Preferences(keys=keys))
    async with app.run_test(size=(120, 36)) as pilot:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        await ui.press("f2", "f2")
        ui.expect_cursor("nix-cache01")
        await ui.press("j", "question_mark", "5")
        ui.expect_cursor("nix-cache01")
        ui.expect_screen("fleet")
        ui.expect("f8 open")
        await ui.press("f9")
        ui.expect_screen("journal")
        await ui.do("app.palette")
        await ui.type("what was changed, by whom")
        ui.expect("f9 ctrl+j")


CHANGES = {"start", "resume", "approve", "reject", "merge", "decide", "comment", "edit", "abandon", "skip", "add",
           "propose_revert", "merge_revert", "adopt"}  # fmt: skip
OPENERS = ("enter", "r", "x", "D", "b", "question_mark", ":", "slash", "Y", "s", "'", "S", "n", "d", "q", "O", "A")


@pytest.mark.parametrize("opener", OPENERS)
async def test_fifty_enters_held_down_do_nothing_beyond_the_first_level(open_ui: OpenUi, opener: str) -> None:
    async with open_ui() as ui:
        await ui.press(opener)
        await ui.press("enter")
        await ui.hold("enter", 49)
        ui.unread.clear()
        assert ui.started() == []
        assert not {call[0] for call in ui.backend.calls} & CHANGES
        assert len(ui.app.screen_stack) <= 3


async def test_a_key_that_is_held_down_is_not_for_the_dialog_that_it_has_opened(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press(":", ":", ":")
        ui.expect_dialog("Run an action")
        ui.expect("type to filter")
        ui.later()
        await ui.press(":")
        ui.expect_not("type to filter")


async def test_read_only_dims_what_changes_and_says_why_and_leaves_what_looks(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PVENIX_READ_ONLY", "1")
    clock = FixedClock()
    app = app_with(backend, clock, Preferences())
    async with app.run_test(size=(120, 36)) as pilot:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        ui.expect(" RO")
        for key in ("r", "D", "b"):
            await ui.press(key)
            ui.expect_screen("fleet")
            ui.expect_error("read-only: nothing is changed from here")
        await ui.press("enter")
        ui.expect_screen("host")
        await ui.press("escape", ":")
        await ui.type("rebuild core")
        ui.expect("not now", "read-only")
        await ui.press("enter")
        ui.expect_dialog("Run an action")
