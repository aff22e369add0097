"""Keys: help, palette, keys of one's own, keys that are held down, and a fleet that may only be looked at."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from textual.events import Paste

from pvenix.engine.calls import CallLog, Channel
from pvenix.engine.runfiles import RunDir
from pvenix.model.plan import RunPlan
from pvenix_tui.actions.keymap import remap
from pvenix_tui.app import PvenixApp
from pvenix_tui.prefs import Notify, Preferences
from pvenix_tui.session import Session
from pvenix_tui.widgets.field import Field
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


async def test_a_line_that_comes_in_one_piece_with_the_key_of_the_palette_is_all_there(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        for key in (":", ":", ":", *"dns00"):
            ui.send(key)
        await ui.settle()
        ui.expect("│dns00 ")
        ui.expect_dialog("Run an action")


@pytest.mark.parametrize("area", ["fleet", "runs", "reviews", "journal"])
async def test_a_filter_that_comes_in_one_piece_is_text_and_no_row_of_commands(
    open_ui: OpenUi, backend: FakeBackend, area: str
) -> None:
    async with open_ui() as ui:
        if area != "fleet":
            await ui.do(f"app.{area}")
        for key in ("/", *"dns01-b04"):
            ui.send(key)
        await ui.calm()
        ui.expect_screen(area)
        ui.expect("dns01-b04")
        ui.send("enter")
        await ui.calm()
        assert not isinstance(ui.app.focused, Field)


async def test_a_filter_and_enter_that_come_in_one_piece_open_what_is_left(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        for key in ("/", *"nix-cache", "enter", "enter"):
            ui.send(key)
        await ui.calm()
        ui.expect_screen("host")
        ui.expect("nix-cache01")


@pytest.mark.parametrize("way", [("/",), (":",), ("b", "m", "/")], ids=["filter", "palette", "picker"])
async def test_no_letter_overtakes_the_one_before_it_when_the_field_opens_between_them(
    open_ui: OpenUi, way: tuple[str, ...]
) -> None:
    async with open_ui() as ui:
        for turns in range(8):  # of the loop, between keys: somewhere there the field has the focus
            await ui.press(*way[:-1])
            for key in (way[-1], *"next"):
                ui.send(key)
                for _ in range(turns):
                    await asyncio.sleep(0)
            await ui.calm()
            assert isinstance(ui.app.focused, Field)
            assert ui.app.focused.value == "next", turns
            await ui.press("escape", "escape", "1")


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
    keys = {"app.journal": ("f9", "ctrl+j"), "fleet.open": ("f8",), "list.down": ("down", "f12"), "app.help": ()}
    app = app_with(backend, clock, Preferences(keys=keys))
    async with app.run_test(size=(120, 36)) as pilot:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        await ui.press("f12", "f12")
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
OPENERS = ("enter", "r", "x", "D", "b", "question_mark", ":", "Y", "s", "'", "S", "n", "d", "O", "A", "F", "H", "l")


@pytest.mark.parametrize("opener", OPENERS)
async def test_fifty_enters_held_down_do_nothing_beyond_the_first_level(open_ui: OpenUi, opener: str) -> None:
    async with open_ui() as ui:
        await ui.press(opener)
        if opener != "enter":
            await ui.press("enter")
        front = ui.app.screen
        await ui.hold("enter", 49)
        ui.unread.clear()
        assert ui.app.screen is front, ui.text()
        assert ui.started() == []
        assert not {call[0] for call in ui.backend.calls} & CHANGES


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


async def test_read_only_a_run_is_watched_and_asked_for_nothing(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_ui() as ui:
        await ui.press("r")
        await ui.confirm()
        ui.expect_screen("run")
        monkeypatch.setenv("PVENIX_READ_ONLY", "1")
        ui.run()
        ui.app.screen.run._read_only = True  # type: ignore[attr-defined] # as a workspace that was opened so
        await ui.press("p")
        ui.expect_error("read-only here and does not ask a run for anything")
        await ui.press("X")
        ui.expect_error("read-only: nothing is changed from here")
        assert ui.requests() == []


async def test_the_calls_of_this_window_show_with_their_time_host_and_end(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        calls = ui.app.session.calls = CallLog()
        calls.keep()
        await ui.do("frame.calls")
        ui.expect("nothing was asked yet")
        with calls.call(Channel.SSH, "dns01", "readlink /run/current-system"):
            await ui.tick()
            ui.expect("1 calls, 1 open", "under way dns01")
        with pytest.raises(TimeoutError), calls.call(Channel.API, "tanka", "GET /cluster/resources"):
            raise TimeoutError("no answer")
        await ui.tick()
        ui.expect("ssh", "ok        dns01  readlink", "api", "TimeoutError: no answer tanka  GET /cluster/resources")
        await ui.do("calls.bad")
        ui.expect("(failed only)", "GET /cluster/resources")
        ui.expect_not("readlink")
        await ui.press("escape")
        ui.expect_screen("fleet")


@pytest.mark.parametrize(("notify", "sent"), [(Notify.NONE, ""), (Notify.BELL, "\a"), (Notify.OSC9, "\x1b]9;pvenix: ")])
async def test_a_run_that_ends_elsewhere_is_told_and_beyond_the_screen_only_when_wanted(
    backend: FakeBackend, notify: Notify, sent: str
) -> None:
    clock = FixedClock()
    run = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
    app = app_with(backend, clock, Preferences(notify=notify))
    async with app.run_test(size=(80, 24)) as pilot:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        written: list[str] = []
        assert app._driver is not None
        app._driver.write = written.append  # type: ignore[method-assign, assignment] # what the terminal gets
        app.bell = lambda: written.append("\a")  # type: ignore[method-assign] # silent without a terminal
        backend.end_run(run, 1, changed=3, failed=1)
        await ui.do("app.refresh")
        ui.expect_error("rebuild dns01: 1 failed")
        told = [text for text in written if text.startswith(("\a", "\x1b]9;"))]
        assert [text[: len(sent)] for text in told] == ([sent] if sent else [])
    backend.live.close()


async def test_a_burst_of_enters_in_a_dialog_closes_the_dialog_and_nothing_else(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("app.palette")
        await ui.type("everything on this screen again")
        for _ in range(3):
            ui.send("enter")
        await ui.calm()
        ui.expect_screen("fleet")


async def test_what_is_typed_for_a_menu_in_one_burst_moves_and_chooses_in_what_it_leaves(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        for key in ("x", *"build", "down", "enter"):
            ui.send(key)
        await ui.calm()
        ui.expect("start: preflight")  # the one behind `build`, as what it does has the word too


@pytest.mark.parametrize("turn", range(4))
async def test_a_verb_behind_a_filter_in_one_burst_is_for_the_host_that_it_leaves(open_ui: OpenUi, turn: int) -> None:
    async with open_ui() as ui:
        await ui.press("slash")
        for key in (*"dns", "enter", *["down"] * turn, "x"):
            ui.send(key)
        await ui.calm()
        ui.expect("Verbs for dns")


async def test_a_start_that_ends_after_the_person_went_on_closes_nothing_else(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, may_end = backend.start_detached, threading.Event()

    def slowly(plan: RunPlan) -> RunDir:
        may_end.wait(10)
        return at_once(plan)

    monkeypatch.setattr(backend, "start_detached", slowly)
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        ui.later()
        for key in "y3":
            ui.send(key)
        await ui.until(lambda: getattr(ui.app.screen, "scope", "") == "reviews")
        may_end.set()
        await ui.calm()
        ui.expect_screen("reviews")
        await ui.press("1")
        ui.expect_screen("run")


async def test_a_paste_behind_the_key_of_a_field_is_for_the_field(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        ui.send("/")
        ui.give(Paste("nix-cache"))
        ui.send("enter")
        ui.send("enter")
        await ui.calm()
        ui.expect_screen("host")
        ui.expect("nix-cache01")


async def test_a_click_behind_a_key_is_for_the_screen_that_the_key_brings(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        row = next(at for at, line in enumerate(ui.text().splitlines()) if "nix-cache01" in line)
        await ui.press("2")
        ui.send("1")
        ui.click(20, row)
        await ui.settle()
        ui.expect_screen("fleet")
        ui.expect_cursor("nix-cache01")


async def test_no_key_overtakes_another_in_a_loop_that_stood_still(
    open_ui: OpenUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_ui() as ui:
        loop, stood = asyncio.get_running_loop(), 0.0
        time = loop.time
        monkeypatch.setattr(loop, "time", lambda: time() + stood)
        for turns in range(0, 60, 2):  # of the loop, before it stands still
            for key in ("/", *"next"):
                ui.send(key)
            for _ in range(turns):
                await asyncio.sleep(0)
            stood += 1.0
            await ui.calm()
            assert isinstance(ui.app.focused, Field)
            assert ui.app.focused.value == "next", turns
            await ui.press("escape", "escape")
