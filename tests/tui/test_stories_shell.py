"""The frame around every screen: ASCII, themes, preferences, what was said, what a window too small shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pvenix_tui import glyphs
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend, fake_host, fake_review

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
            ["G", "enter"], ["]"], ["]"], ["escape", "question_mark"], ["escape", "3"], ["enter"], ["escape", "1"],
            ["g", "r"], ["escape", "slash", "é"], ["escape", "R"], ["escape", "2"], ["4"], ["5"], ["q"],
        ):  # fmt: skip
            await ui.press(*keys)
            assert ui.text().isascii(), ui.text()
