"""The frame around every screen: ASCII, themes, preferences, what was said, what a window too small shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pvenix_tui import glyphs
from pvenix_tui.app import PvenixApp
from pvenix_tui.prefs import Preferences
from pvenix_tui.session import Session
from pvenix_tui.themes import ThemeName
from tests.tui.conftest import OpenUi
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend, fake_review
from tests.tui.fake_inventory import fake_host

pytestmark = pytest.mark.tui


@pytest.fixture
def ascii_terminal() -> Iterator[None]:
    glyphs.use_ascii(True)
    yield
    glyphs.use_ascii(False)


@pytest.mark.usefixtures("ascii_terminal")
async def test_where_only_ascii_can_be_drawn_no_screen_and_no_dialog_draws_anything_else(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.fleet_now.hosts["café"] = fake_host("café", "grüße", "базис")
    backend.reviews_now = {"café": replace(fake_review("café"), subject="naïve “subject” → 日本")}
    async with open_ui((120, 36)) as ui:
        ui.expect("caf<U+00E9>", "+-", "|")
        for keys in (
            ["G", "enter"], *[["right_square_bracket"]] * 8, ["escape", "d"], ["escape", "question_mark"],
            ["escape", "Y"], ["escape", "@"], ["escape", "'"], ["escape", "n"], ["escape", "A"], ["escape", "F"],
            ["escape", "O"], ["escape", "H"], ["enter"], ["escape", "escape", "3"], ["enter"], ["enter"],
            ["escape", "1"], ["g", "b"], ["escape", "x"], ["escape", "slash", "é"], ["escape", "R"], ["2"], ["4"],
            ["enter"], ["escape", "5"], ["enter"], ["escape", "1", "g", "r"], ["v"],
        ):  # fmt: skip
            await ui.press(*keys)
            assert ui.text().isascii(), ui.text()
        ui.expect_error("open: there is no playbook")
        ui.expect_error("open: nothing was done yet")


async def test_a_row_its_id_and_its_command_line_can_be_copied_on_every_list(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.go_to("tappaas-vllm")
        await ui.do("frame.copy")
        ui.expect_dialog("Copy")
        ui.expect(
            "the row", "its id", "everything", "the same from a shell", "$ rebuild", "pvenix rebuild tappaas-vllm"
        )
        await ui.press("enter")
        ui.expect("copied the row: one line")
        assert ui.app.clipboard.startswith("~ drifted")
        assert "tappaas-vllm" in ui.app.clipboard
        assert glyphs.ELLIPSIS not in ui.app.clipboard
        await ui.do("frame.copy")
        await ui.press("j", "enter")
        assert ui.app.clipboard == "tappaas-vllm"
        await ui.do("frame.copy")
        await ui.press("slash")
        await ui.type("$ rebuild")
        await ui.press("enter")
        assert ui.app.clipboard == "pvenix rebuild tappaas-vllm"


async def test_what_is_too_much_for_a_clipboard_goes_into_a_file_that_only_its_owner_reads(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    for number in range(600):
        backend.fleet_now.hosts[f"web{number:03}"] = fake_host(f"web{number:03}", "apps", "docker")
    async with open_ui((120, 36)) as ui:
        await ui.do("frame.copy")
        await ui.press("j", "j", "enter")
        ui.expect("too much for the clipboard", "saved")
        assert not ui.app.clipboard
        [file] = (backend.state_dir / "saved").iterdir()
        assert "web599" in file.read_text()
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_what_a_screen_shows_is_saved_and_a_file_that_is_there_is_never_overwritten(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    there = backend.state_dir / "mine.txt"
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_text("mine")
    async with open_ui() as ui:
        await ui.do("frame.save")
        ui.expect_dialog("Save into which file?")
        ui.expect("saved/fleet-")
        await ui.press("ctrl+u")
        await ui.type(str(there))
        await ui.press("enter")
        ui.expect_dialog("Save into which file?")
        ui.expect("there is such a file already; name another")
        assert there.read_text() == "mine"
        await ui.type(".2")
        await ui.press("enter")
        assert there.with_name("mine.txt.2").is_file()
        await ui.do("frame.save")
        await ui.press("enter")
        ui.expect("lines, ", "saved/fleet-")
        [file] = (backend.state_dir / "saved").iterdir()
        assert "nix-cache01" in file.read_text()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("~nobody-of-this-name/x", "~nobody-of-this-name: there is no such user"),
        ("/", "that is a folder; name a file in it"),
    ],
)
async def test_a_path_that_cannot_be_saved_to_says_why_and_can_be_changed(open_ui: OpenUi, path: str, why: str) -> None:
    async with open_ui() as ui:
        await ui.do("frame.save")
        await ui.press("ctrl+u")
        await ui.type(path)
        await ui.press("enter")
        ui.expect_dialog("Save into which file?")
        ui.expect(why)


async def test_a_command_that_would_be_refused_now_says_so_in_the_copy_menu(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.press("r")
        await ui.confirm()
        backend.step(ui.run(), "tappaas-cicd", "rebuild", "ok")
        backend.end_run(ui.run(), 0, ok=1)
        for _ in range(10):
            await ui.tick()
        await ui.do("frame.copy")
        await ui.go_to("$ pause")
        ui.expect("not now: the run is not live (ended)")
        await ui.go_to("$ follow")
        ui.expect_not("not now")


async def test_what_went_wrong_stays_until_it_is_dealt_with_and_what_went_well_leaves(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        ui.app.session.say("the disk is full", bad=True)
        ui.later(3600)
        await ui.press("j", "j")
        ui.expect("! the disk is full")
        await ui.press("escape")
        ui.expect_not("the disk is full")
        ui.app.session.say("merged")
        await ui.tick()
        ui.expect("+ merged")
        ui.later(7)
        await ui.tick()
        ui.expect_not("merged")
        ui.app.session.say("the disk is full again", bad=True)
        await ui.press("2")
        ui.expect_not("the disk is full again")
        ui.expect_error("the disk is full again")


async def test_a_key_that_does_nothing_now_says_why_and_the_reason_leaves_by_itself(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("2", "enter")
        ui.expect_error("open: ")
        ui.later(7)
        await ui.tick()
        ui.expect_not("open: ")


async def test_a_terminal_that_is_too_small_says_so_in_one_line_with_a_dialog_in_front_too(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.pilot.resize_terminal(59, 24)
        await ui.settle()
        assert ui.text().strip() == "terminal too small: 59x24, needs 60x15"
        await ui.pilot.resize_terminal(80, 24)
        await ui.settle()
        ui.expect("tappaas-vllm", "? help")
        await ui.do("app.help")
        await ui.pilot.resize_terminal(80, 14)
        await ui.settle()
        assert ui.text().strip() == "terminal too small: 80x14, needs 60x15"
        await ui.pilot.resize_terminal(80, 24)
        await ui.settle()
        ui.expect_dialog("Keys and actions")


async def test_a_letter_jumps_to_a_pane_and_a_screen_with_one_pane_says_so(open_ui: OpenUi) -> None:
    async with open_ui((120, 36)) as ui:
        await ui.do("frame.jump")
        ui.expect_dialog("Jump to which pane?")
        ui.expect("a  show", "b  attention", "c  hosts")
        await ui.press("b")
        assert ui.rows().id == "attention"
        await ui.do("frame.jump")
        await ui.press("escape")
        assert ui.rows().id == "attention"
        await ui.press("2")
        await ui.do("frame.jump")
        ui.expect_error("jump: this screen has one pane")


async def test_the_area_and_the_open_run_are_there_again_when_a_person_comes_back(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.press("r")
        await ui.confirm()
        ui.expect_screen("run")
        run = ui.run().run
        await ui.press("q")
        await ui.confirm()
    backend.live = type(backend.live)()
    async with open_ui() as ui:
        ui.expect_screen("run")
        ui.expect("rebuild tappaas-cicd")
        assert ui.run().run == run


async def test_a_runs_log_is_copied_and_saved_whole_and_not_as_far_as_it_shows(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.press("r")
        await ui.confirm()
        backend.output(ui.run(), "tappaas-cicd", "".join(f"line {number} {'x' * 100}\n" for number in range(300)))
        await ui.tick()
        ui.app.screen.query_one("#log").focus()
        await ui.do("frame.copy")
        await ui.press("slash")
        await ui.type("everything")
        await ui.press("enter")
        assert f"line 0 {'x' * 100}\n" in ui.app.clipboard
        assert f"line 299 {'x' * 100}\n" in ui.app.clipboard


async def test_tab_goes_through_every_pane_and_round_and_back(open_ui: OpenUi) -> None:
    async with open_ui((160, 48)) as ui:
        for keys in ([], ["enter"], ["3", "enter"]):
            await ui.press(*keys)
            panes = [widget.id for widget in ui.app.screen.focus_chain]
            start = ui.app.focused
            seen = [start.id if start else None]
            for _ in panes[1:]:
                await ui.press("tab")
                seen.append(ui.app.focused.id if ui.app.focused else None)
            assert sorted(map(str, seen)) == sorted(map(str, panes)), f"{seen} of {panes}"
            await ui.press("tab")
            assert ui.app.focused is start
            if len(panes) > 1:
                await ui.press("shift+tab")
                assert (ui.app.focused.id if ui.app.focused else None) == seen[-1]


async def test_what_is_remembered_is_for_its_owner_alone(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await ui.press("2", "q")
    assert ((backend.state_dir / "tui-memory.json").stat().st_mode & 0o777) == 0o600


async def test_nothing_hostile_leaves_by_clipboard_file_or_notification(open_ui: OpenUi, backend: FakeBackend) -> None:
    attack = "\x1b]52;c;UFdORUQ=\x07\x1b]0;PWNED\x07\x9b2J\u202e;rm -rf"
    backend.fleet_now.hosts[f"web{attack}"] = fake_host(f"web{attack}", "apps", "docker")
    async with open_ui((120, 36)) as ui:
        await ui.press("G")
        for choice in ("the row", "its id", "everything"):
            await ui.do("frame.copy")
            await ui.press("slash")
            await ui.type(choice)
            await ui.press("enter")
            assert "web" in ui.app.clipboard
            assert not [sign for sign in ui.app.clipboard if sign != "\n" and not sign.isprintable()]
        await ui.do("frame.save")
        await ui.press("enter")
        [file] = (backend.state_dir / "saved").iterdir()
        assert not [sign for sign in file.read_text() if sign != "\n" and not sign.isprintable()]
        written: list[str] = []
        assert ui.app._driver is not None
        ui.app._driver.write = written.append  # type: ignore[method-assign, assignment] # what the terminal gets
        ui.app.tell_terminal(attack)
        [sent] = written
        assert sent.startswith("\x1b]9;pvenix: ")
        assert sent.endswith("\x07")
        assert sent[4:-1].isprintable()


@pytest.mark.parametrize("theme", list(ThemeName))
async def test_a_dialog_leaves_what_is_behind_it_in_sight_in_every_theme(
    backend: FakeBackend, theme: ThemeName
) -> None:
    clock = FixedClock()
    session = Session(backend, clock=clock, preferences=Preferences(theme=theme))
    app = PvenixApp(session, ticking=False)
    async with app.run_test(size=(80, 24)) as pilot:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        await ui.do("frame.save")
        ui.expect_dialog("Save into which file?")
        ui.expect("[1 Fleet]", "tappaas-vllm", "? help")
