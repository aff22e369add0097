"""The pictures of the documents: they load nothing, say when they are old, and show scenes that exist."""

from __future__ import annotations

import re

import pytest

from tests.tui.scenes import SCENES
from tools.pictures import FOLDER, PICTURES, drawn, text_of, without_outside

pytestmark = pytest.mark.tui


def test_every_picture_shows_a_scene_and_every_file_is_a_picture() -> None:
    assert {scene for scene, _ in PICTURES.values()} <= set(SCENES)
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_loads_nothing_from_anywhere(path: object) -> None:
    svg = FOLDER.joinpath(str(path)).read_text()
    assert set(re.findall(r"https?://[^\"' )<]+", svg)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|<script|<image|href=", svg)


async def test_a_picture_of_another_screen_has_another_text_and_the_same_screen_the_same() -> None:
    first, again = [without_outside(await drawn("journal", (100, 30))) for _ in range(2)]
    assert first == again
    assert text_of(first) != text_of(without_outside(await drawn("fleet", (100, 30))))
    assert any("rebuild" in line and "2 hosts" in line for line in text_of(first))
