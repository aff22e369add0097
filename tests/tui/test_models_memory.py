"""What several windows remember in one file: each writes what it changed, and nothing of it is lost."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from pvenix_tui.remembered.memory import NAME, Memory


def opened(folder: Path) -> Memory:
    memory = Memory()
    memory.open(folder)
    return memory


def test_two_windows_at_once_keep_what_each_of_them_changed(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.keep("fleet.filter", "role:dns")
    second.keep("journal.filter", "who:ana")
    second.save()
    first.save()
    after = opened(tmp_path)
    assert (after.text("fleet.filter"), after.text("journal.filter")) == ("role:dns", "who:ana")


def test_of_a_value_that_two_windows_changed_the_last_one_wins(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.keep("fleet.filter", "role:dns")
    first.save()
    second.keep("fleet.filter", "role:web")
    second.save()
    first.keep("fleet.order", "name")
    first.save()
    assert opened(tmp_path).text("fleet.filter") == "role:web"


@pytest.mark.parametrize("begun", [{}, {"old": "is:failed"}])
def test_filters_that_two_windows_save_and_drop_are_taken_one_by_one(tmp_path: Path, begun: dict[str, str]) -> None:
    start = opened(tmp_path)
    if begun:
        start.keep("fleet.filters", begun)
    start.save()
    first, second = opened(tmp_path), opened(tmp_path)
    first.keep("fleet.filters", {**begun, "mine": "role:dns"})
    second.keep("fleet.filters", {"yours": "role:web"})
    first.save()
    second.save()
    assert opened(tmp_path).table("fleet.filters") == {"mine": "role:dns", "yours": "role:web"}


def test_a_draft_is_one_window_s_and_never_mixed_with_another_s(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.keep("newhost.draft", {"name": "web01", "zone": "core"})
    second.keep("newhost.draft", {"name": "dns02"})
    first.save()
    second.save()
    assert opened(tmp_path).table("newhost.draft") == {"name": "dns02"}


def test_what_was_set_before_the_file_was_read_wins_and_is_written(tmp_path: Path) -> None:
    before = opened(tmp_path)
    before.keep("fleet.filter", "role:dns")
    before.keep("fleet.order", "name")
    before.save()
    memory = Memory()
    memory.keep("fleet.filter", "role:web")
    memory.open(tmp_path)
    assert (memory.text("fleet.filter"), memory.text("fleet.order")) == ("role:web", "name")
    memory.save()
    assert opened(tmp_path).text("fleet.filter") == "role:web"


def test_a_list_that_its_owner_goes_on_with_counts_as_changed_when_it_is_kept_again(tmp_path: Path) -> None:
    memory, lines = opened(tmp_path), ["rebuild dns01"]
    memory.keep("palette.history", lines)
    memory.save()
    lines.append("rollback dns01")
    memory.keep("palette.history", lines)
    assert memory.changed
    memory.save()
    assert opened(tmp_path).names("palette.history") == lines


@pytest.mark.parametrize("broken", ["", "{", "[1]", "\x00"])
def test_a_file_that_is_broken_is_as_none_and_the_next_save_is_whole(tmp_path: Path, broken: str) -> None:
    memory = opened(tmp_path)
    memory.keep("fleet.order", "name")
    memory.save()
    (tmp_path / NAME).write_text(broken)
    assert opened(tmp_path).text("fleet.order") == ""
    memory.keep("fleet.filter", "role:dns")
    memory.save()
    assert json.loads((tmp_path / NAME).read_text()) == {"fleet.order": "name", "fleet.filter": "role:dns"}


def test_a_disk_that_takes_nothing_is_told_once_and_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file where the folder would be")
    memory = Memory()
    memory._path = folder / NAME
    memory.keep("fleet.order", "name")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            memory.save()
    assert memory.changed
    assert len([record for record in caplog.records if "cannot be written" in record.message]) == 1
    folder.unlink()
    memory.save()
    assert opened(folder).text("fleet.order") == "name"
