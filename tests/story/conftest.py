"""Labs for stories: one for each module that asks, down again with nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.conftest import golden
from tests.story.world import StoryLab, processes_with_home

__all__ = ["golden", "lab"]

SPEED = "4"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryLab]:
    """The module's lab of six hosts."""
    story = StoryLab(tmp_path_factory.mktemp("story").resolve(), "--speed", SPEED)
    yield story
    down = story.pvenix("lab", "down", str(story.lab), cwd=story.folder)
    assert down.code == 0, down.text
    assert not processes_with_home(story.folder / "home")
