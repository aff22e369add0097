"""Other colours in a window that is open."""

from __future__ import annotations

import pytest
from textual.color import Color

from pvenix_tui.prefs import Preferences
from pvenix_tui.themes import PALETTES, ThemeName
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui

pytestmark = pytest.mark.tui


def ground(ui: Ui) -> Color:
    """What the list that has the keys is drawn on, as its first row is."""
    style = next(iter(ui.rows().render_line(0))).style
    assert style is not None
    assert style.bgcolor is not None
    return Color.from_rich_color(style.bgcolor)


def of(name: ThemeName) -> Color:
    return Color.parse(PALETTES[name].background)


async def test_a_theme_typed_with_its_name_is_drawn_at_once_and_says_where_it_is_kept(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        assert ground(ui) == of(ThemeName.DARK)
        await ui.press(":")
        await ui.type("theme li")
        ui.expect("theme light")
        await ui.press("enter")
        ui.expect("theme light until the end; `theme: light` in tui.yaml keeps it")
        assert ground(ui) == of(ThemeName.LIGHT)


async def test_the_menu_stands_on_the_theme_that_shows_and_esc_changes_nothing(open_ui: OpenUi) -> None:
    async with open_ui(preferences=Preferences(theme=ThemeName.BLUE_ORANGE)) as ui:
        await ui.press(":")
        await ui.type("other colours")
        await ui.press("enter")
        ui.expect_dialog("Which colours?")
        ui.expect_cursor("blue-orange")
        ui.expect("for eyes that mix red and green")
        await ui.press("escape")
        assert ground(ui) == of(ThemeName.BLUE_ORANGE)


async def test_a_theme_holds_on_every_screen_and_another_takes_its_place(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        for name in (ThemeName.LIGHT, ThemeName.BLUE_ORANGE, ThemeName.DARK):
            await ui.press(":")
            await ui.type(f"theme {name.value}")
            await ui.press("enter")
            for area in "51":
                await ui.press(area)
                assert ground(ui) == of(name)


async def test_the_terminals_own_colours_stay_and_say_why(open_ui: OpenUi) -> None:
    async with open_ui(preferences=Preferences(theme=ThemeName.TERMINAL)) as ui:
        await ui.press(":")
        await ui.type("theme light")
        await ui.press("enter")
        ui.expect_error("theme: the terminal's own colours stay until the end")


async def test_without_colours_there_is_no_other_theme(open_ui: OpenUi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_ui() as ui:
        await ui.press(":")
        await ui.type("theme light")
        await ui.press("enter")
        ui.expect_error("theme: NO_COLOR is set")
