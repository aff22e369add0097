"""Several panes beside each other: the cursor that the keys move looks like no other."""

from __future__ import annotations

import pytest
from rich.style import Style

from pvenix_tui.models.lines import Column, Tone
from pvenix_tui.models.table import Table
from pvenix_tui.prefs import Preferences
from pvenix_tui.themes import PALETTES, ThemeName
from pvenix_tui.widgets.rows import Rows
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui

pytestmark = pytest.mark.tui
WIDE = (160, 48)


def drawn(ui: Ui, pane: str) -> Style:
    """How the cursor of a pane is drawn, at its end where no word stands."""
    rows = ui.app.screen.query_one(f"#{pane}", Rows)
    style = list(rows.render_line(rows.size.height - rows.shown + rows.cursor - rows.top))[-1].style
    assert style is not None
    return style


def ground(ui: Ui, pane: str) -> str:
    """The colour behind the cursor of a pane."""
    colour = drawn(ui, pane).bgcolor
    assert colour is not None
    return colour.name


@pytest.mark.parametrize("theme", [ThemeName.DARK, ThemeName.LIGHT, ThemeName.BLUE_ORANGE])
async def test_the_cursor_of_a_pane_without_the_keys_is_fainter(open_ui: OpenUi, theme: ThemeName) -> None:
    palette = PALETTES[theme]
    async with open_ui(WIDE, preferences=Preferences(theme=theme)) as ui:
        assert (ground(ui, "hosts"), ground(ui, "groups")) == (palette.cursor, palette.aside)
        await ui.press("shift+tab")
        assert ui.rows().id != "hosts"
        assert ground(ui, "hosts") == palette.aside
        assert ground(ui, str(ui.rows().id)) == palette.cursor


async def test_without_colours_it_is_underlined_where_the_other_is_reverse(
    open_ui: OpenUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_ui(WIDE) as ui:
        hosts, groups = drawn(ui, "hosts"), drawn(ui, "groups")
        assert (hosts.reverse, bool(hosts.underline)) == (True, False)
        assert (bool(groups.reverse), groups.underline) == (False, True)


async def test_a_filter_that_is_typed_leaves_the_cursor_with_the_list_that_it_narrows(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        await ui.press("/")
        await ui.type("dns")
        assert ground(ui, "hosts") == PALETTES[ThemeName.DARK].cursor


async def test_the_rows_of_a_menu_have_the_cursor_while_its_field_is_typed_in(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        await ui.press("?")
        await ui.type("copy")
        assert ground(ui, "choices") == PALETTES[ThemeName.DARK].cursor


async def test_a_list_that_is_ordered_anew_shows_what_stands_first_where_the_cursor_allows_it(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        names = [f"host{number}" for number in range(60)]
        rows = ui.rows()
        rows.show(Table((Column(title="HOST", width=9),), lambda: names, lambda name: ((name, Tone.PLAIN),), str))
        names.append(names.pop(0))
        rows.reload()
        await ui.calm()
        assert rows.key == "host0"
        assert rows.top > 0
        names[:] = ["host59", "host0", *names[:-2]]
        rows.reload()
        await ui.calm()
        assert rows.key == "host0"
        assert rows.top == 0
