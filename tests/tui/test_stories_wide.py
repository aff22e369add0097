"""A wide terminal: room is used for what is cut elsewhere, and left alone where nothing is to be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix_tui.screens.dialogs import Picker
from tests.tui.branches import HOST, NIX, open_review
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend, fake_review
from tests.tui.fake_review import changed

pytestmark = pytest.mark.tui
WIDE = (160, 48)


async def test_a_menu_of_a_few_choices_covers_no_more_than_it_needs(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        await ui.do("frame.copy")
        menu = ui.app.screen
        assert isinstance(menu, Picker)
        assert menu.query_one("#box").size.height < WIDE[1] / 2
        ui.expect("in sync")
        await ui.press("escape")
        await ui.do("app.help")
        assert ui.app.screen.query_one("#box").size.height > WIDE[1] / 2


async def test_the_host_of_a_tile_is_copied_by_its_name(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        await ui.press("*", "r", "G")
        await ui.confirm()
        await ui.press("l")
        second = list(ui.app.session.fleet.hosts)[1]
        ui.expect(f"> {second}")
        await ui.do("frame.copy")
        await ui.go_to("the host")
        await ui.press("enter")
        assert ui.app.clipboard == second


async def test_help_tells_whole_on_a_wide_terminal_what_each_action_does(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        await ui.do("app.help")
        ui.expect("text, role:vllm, state:drifted, drift, !not, or a selector of the command line (role_vllm:!core)")


async def test_both_sides_of_a_file_have_the_whole_of_a_wide_terminal(open_ui: OpenUi, backend: FakeBackend) -> None:
    file = changed(NIX, "{\n  ports = [ 80 ];\n}\n", "{\n  ports = [ 80 8000 ];\n}\n")
    backend.reviews_now[HOST] = replace(fake_review(), files=(file,))
    async with open_ui(WIDE) as ui:
        await open_review(ui)
        await ui.do("diff.sides", "diff.pane")
        assert ui.app.screen.query_one("#diff").size.width > WIDE[0] - 4
        await ui.do("diff.pane")
        assert ui.app.screen.query_one("#overview").size.width > 50


async def test_a_wide_terminal_names_more_keys_below_and_help_stays_the_last(open_ui: OpenUi) -> None:
    async with open_ui(WIDE) as ui:
        footer = ui.text().splitlines()[-1]
        assert footer.endswith("? help")
        assert "* mark all" in footer
    async with open_ui((80, 24)) as ui:
        footer = ui.text().splitlines()[-1]
        assert footer.endswith("? help")
        assert "* mark all" not in footer
