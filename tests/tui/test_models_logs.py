from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.engine.logparts import times_path
from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.lines import Tone, cells, plain
from pvenix_tui.models.logpane import LogPane, Times
from pvenix_tui.models.logwords import line_tone
from pvenix_tui.models.ring import LineRing
from pvenix_tui.runfiles.logfile import BLOCK, LogTail

SMALL = 2_000
"""A ring that keeps about thirty lines."""


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number:06}\n" for number in range(first, last))


def tail_of(folder: Path, text: str, *, budget: int = SMALL) -> LogTail:
    log = folder / "host.log"
    log.write_text(text)
    tail = LogTail(log, LineRing(budget))
    while tail.poll():
        pass
    return tail


def append(tail: LogTail, text: str) -> None:
    with tail.path.open("a") as file:
        file.write(text)
    while tail.poll():
        pass


def shown(pane: LogPane, height: int = 5, width: int = 40) -> list[str]:
    return [plain(line).rstrip() for line in pane.rows(width, height)]


@settings(max_examples=40, deadline=None)
@given(
    before=st.integers(min_value=1, max_value=400),
    up=st.integers(min_value=1, max_value=500),
    came=st.lists(st.integers(min_value=0, max_value=300), max_size=6),
)
def test_a_paused_log_shows_the_same_lines_whatever_is_added_and_dropped_from_memory(
    before: int, up: int, came: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tail = tail_of(Path(folder), "")
        append(tail, numbered(0, before))
        pane = LogPane(tail)
        pane.rows(40, 5)
        pane.scroll(-up)
        first, end = shown(pane), before
        for count in came:
            append(tail, numbered(end, end + count))
            end += count
            assert shown(pane)[: len(first)] == first
        assert pane.new_lines == end - before


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(st.text(alphabet="ab\u00e9\u6f22 ", max_size=300), max_size=300),
    budget=st.integers(200, 5000),
    data=st.data(),
)
def test_every_line_of_a_log_can_be_reached_by_its_number_however_little_is_kept(
    lines: list[str], budget: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cut = data.draw(st.integers(0, len(lines)))
        tail = tail_of(Path(folder), "".join(f"{line}\n" for line in lines[:cut]), budget=budget)
        append(tail, "".join(f"{line}\n" for line in lines[cut:]))
        while tail.more():
            pass
        assert [tail.line(number) for number in range(tail.first, tail.end)] == lines


def test_a_long_log_is_read_from_near_its_end_and_all_of_it_is_reached_by_scrolling(tmp_path: Path) -> None:
    tail = tail_of(tmp_path, numbered(0, 20_000))
    assert tail.first == 0
    assert tail.before > BLOCK
    pane = LogPane(tail)
    assert shown(pane)[-1] == "line 019999"
    pane.scroll(-15_000)
    assert shown(pane)[0] == "line 004995"
    pane.to_start()
    assert shown(pane)[0] == "line 000000"
    assert tail.before == 0


def test_what_is_long_gone_from_memory_is_found_in_the_file(tmp_path: Path) -> None:
    tail = tail_of(tmp_path, numbered(0, 8_000) + "a Needle here\n" + numbered(8_000, 12_000))
    append(tail, numbered(12_000, 13_000))
    pane = LogPane(tail)
    assert not pane.search("needle")
    found = tail.find_older("needle", tail.near)
    assert found is not None
    pane.stand_on_older(found)
    assert "a Needle here" in shown(pane)
    assert tail.find_older("line 000000", found) is not None
    assert tail.find_older("needle", found) is None


def test_a_step_begins_where_the_events_say_and_not_where_a_host_prints_a_line_like_it(tmp_path: Path) -> None:
    head = "--- 0.0.build ---\n" + numbered(0, 3_000) + "--- 0.9.fake ---\n"
    tail = tail_of(tmp_path, head + "--- 0.1.boot ---\n" + numbered(3_000, 9_000))
    starts = [tail.number_at(offset) for offset in (0, len(head))]
    assert [tail.line(number) for number in starts] == ["--- 0.0.build ---", "--- 0.1.boot ---"]
    pane = LogPane(tail)
    pane.rows(40, 5)
    assert pane.step_boundary(starts, backwards=True)
    assert shown(pane)[0] == "--- 0.1.boot ---"
    assert pane.step_boundary(starts, backwards=True)
    assert shown(pane)[0] == "--- 0.0.build ---"
    assert not pane.step_boundary(starts, backwards=True)


def test_the_head_of_a_step_is_in_words_wherever_the_line_is_read_from(tmp_path: Path) -> None:
    log, raw, words = tmp_path / "host.log", "--- 0.0.build ---", "--- 1/2 build ---"
    log.write_text(f"{raw}\n{numbered(0, 8_000)}{raw}\n {raw}\n--- 0.9.fake ---\nend\n")
    tail = LogTail(log, LineRing(SMALL), {raw: words})
    while tail.poll():
        pass
    assert tail.line(tail.end - 4) == words
    assert [tail.line(tail.end - 3), tail.line(tail.end - 2)] == [f" {raw}", "--- 0.9.fake ---"]
    assert tail.line(tail.number_at(0)) == words
    found = tail.find_older("1/2 BUILD", tail.near)
    assert found == tail.number_at(0)
    assert [number for number, line in enumerate(tail.whole()) if line == words] == [0, 8_001]


def test_a_line_has_the_time_at_which_it_was_written(tmp_path: Path) -> None:
    tail = tail_of(tmp_path, "one\ntwo\n")
    times_path(tail.path).write_text("0 2026-11-20T10:00:00.000Z\n8 2026-11-20T10:01:05.000Z\n")
    append(tail, "three\n")
    pane = LogPane(tail, times=Times.ELAPSED, began=1_795_168_800.0)
    assert [line.split() for line in shown(pane)] == [
        ["+00:00", "one"],
        ["+00:00", "two"],
        ["+01:05", "three"],
    ]
    pane.times = pane.times.next
    assert shown(pane) == ["one", "two", "three"]


def test_a_match_has_its_time_too_however_far_it_is_from_the_next(tmp_path: Path) -> None:
    tail = tail_of(tmp_path, f"needle one\n{numbered(0, 20_000)}needle two\n", budget=10_000_000)
    times_path(tail.path).write_text("0 2026-11-20T10:00:00.000Z\n11 2026-11-20T10:00:07.000Z\n")
    pane = LogPane(tail, times=Times.ELAPSED, began=1_795_168_800.0)
    pane.search("needle")
    pane.only = True
    pane.follow()
    assert [line.split() for line in shown(pane)] == [["+00:00", "needle", "one"], ["+00:07", "needle", "two"]]


def test_pausing_wrapped_lines_leaves_what_shows_where_it_is() -> None:
    ring = LineRing(100_000)
    ring.extend(f"{number} {'x' * 90}" for number in range(50))
    pane = LogPane(ring, wrapping=True)
    before = shown(pane, 9)
    pane.pause()
    assert shown(pane, 9) == before


def test_the_whole_log_is_that_of_the_file_also_when_more_came_than_was_read_yet(tmp_path: Path) -> None:
    tail = tail_of(tmp_path, numbered(0, 100))
    with tail.path.open("a") as file:
        file.write(numbered(100, 20_000) + "unfinished")
    assert tail.whole() == numbered(0, 20_000).splitlines()
    assert LogTail(tmp_path / "none.log", LineRing(100)).whole() == []


def test_a_log_that_nobody_noted_the_times_of_says_so(tmp_path: Path) -> None:
    pane = LogPane(tail_of(tmp_path, "one\n"), times=Times.WALL)
    assert shown(pane) == ["--:--:-- one"]


def test_only_matches_show_as_they_come_and_each_place_is_marked() -> None:
    ring = LineRing(100_000)
    ring.extend(f"{'Copy' if number % 3 == 0 else 'walk'} {number}" for number in range(30))
    pane = LogPane(ring)
    pane.search("copy")
    pane.only = True
    pane.follow()
    assert shown(pane, 3) == ["Copy 21", "Copy 24", "Copy 27"]
    ring.extend(["no", "last copy"])
    assert shown(pane, 2) == ["Copy 27", "last copy"]
    assert ("copy", Tone.MATCH) in pane.rows(40, 1)[0]
    pane.scroll(-4)
    assert shown(pane, 3)[0] == "Copy 18"
    ring.extend(["copy that"])
    assert shown(pane, 3)[0] == "Copy 18"


def test_the_way_to_errors_begins_at_the_newest_goes_on_below_and_comes_round() -> None:
    ring = LineRing(100_000)
    ring.extend(["start", "error: one", "fine", "0 failed", "Build failed", "end"])
    pane = LogPane(ring, height=3)
    stood = []
    for _ in range(3):
        assert pane.next_error()
        stood.append(ring.line(pane.match or 0))
    assert stood == ["Build failed", "error: one", "Build failed"]
    ring = LineRing(1000)
    ring.extend(["all is well", "$ systemctl list-units --state=failed"])
    assert not LogPane(ring).next_error()


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("error: builder failed", Tone.BAD),
        ("warning: unit inactive", Tone.WARN),
        ("--- 0.3.boot ---", Tone.TITLE),
        ("copying path", Tone.PLAIN),
        ("copied terrors", Tone.PLAIN),
        ("$ systemctl list-units --state=failed", Tone.DIM),
    ],
)
def test_a_line_s_words_give_it_a_tone(text: str, tone: Tone) -> None:
    assert line_tone(text) is tone


@given(st.text(max_size=80), st.text(min_size=1, max_size=4), st.integers(8, 60), st.booleans())
def test_a_line_with_matches_says_what_it_says_without_them_and_stays_within_the_width(
    text: str, query: str, width: int, wrapping: bool
) -> None:
    ring = LineRing(10_000)
    ring.extend([text])
    bare, marked = LogPane(ring, wrapping=wrapping), LogPane(ring, wrapping=wrapping)
    marked.search(query)
    found = marked.rows(width, 10)
    if wrapping:
        assert [plain(line) for line in found] == [plain(line) for line in bare.rows(width, 10)]
    else:
        [whole] = bare.rows(1_000, 10)
        assert plain(found[0]).strip(ELLIPSIS) in plain(whole)
    assert all(cells(line) <= width for line in found)


def test_a_match_right_of_the_edge_is_brought_into_sight() -> None:
    ring = LineRing(10_000)
    pane = LogPane(ring)
    ring.extend([f"$ systemd-run {'x' * 200} StandardError=append:log {'y' * 200}", "a standarderror at once"])
    assert "StandardError" not in plain(pane.rows(80, 10)[0])
    pane.search("standarderror")
    first, second = (plain(line) for line in pane.rows(80, 10))
    assert first.startswith(ELLIPSIS)
    assert "StandardError=append" in first
    assert len(first) == 80
    assert second == "a standarderror at once"


def test_a_paused_log_that_gets_more_room_fills_it_and_one_that_gets_less_keeps_its_first_line() -> None:
    ring = LineRing(10_000)
    ring.extend(str(number) for number in range(30))
    pane = LogPane(ring)
    assert shown(pane, 5)[0] == "25"
    pane.pause()
    assert shown(pane, 12)[0] == "18"
    assert shown(pane, 4)[0] == "18"
