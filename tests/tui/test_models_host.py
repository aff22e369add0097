from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.engine.runfiles import RunStore
from pvenix.model.inspection import UnitList, UnitLook, VmLook
from pvenix_tui.models.hostdrift import adopt_reason, diff_lines, drift_document, overwrite_reason
from pvenix_tui.models.hostjournal import HostJournal, priority_choices, priority_of
from pvenix_tui.models.hostlooks import size_word, unit_lines, vm_lines
from pvenix_tui.models.hostruns import parts_of
from pvenix_tui.models.hosttabs import Reading, Tab, TabLines, tab_at, tabs_line
from pvenix_tui.models.hostunits import matching, units_note
from pvenix_tui.models.lines import Line, cells, plain, text_line
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_inspection import edited, fake_drift, fake_unit

pytestmark = pytest.mark.tui


def test_the_names_of_all_tabs_fit_into_eighty_columns() -> None:
    assert all(cells(tabs_line(tab, tab)) <= 80 for tab in Tab)


def test_a_click_on_a_tabs_name_means_that_tab() -> None:
    line = plain(tabs_line(Tab.FACTS, Tab.DRIFT))
    assert all(tab_at(line.index(tab.label), Tab.FACTS, Tab.DRIFT) is tab for tab in Tab)
    assert tab_at(len(line), Tab.FACTS, Tab.DRIFT) is None


def test_a_reading_that_fails_keeps_what_was_read_and_says_how_old_it_is() -> None:
    reading: Reading[str] = Reading()
    assert reading.note(0.0)[0] == "not read yet"
    reading.begin()
    assert reading.note(0.0)[0] == "reading"
    reading.take("text", 100.0)
    assert reading.note(112.0)[0] == "read 12s ago"
    reading.begin()
    assert reading.note(112.0)[0] == "reading again, this is 12s old"
    assert reading.note(100.4)[0] == "reading"
    reading.fail("no answer")
    assert (reading.value, reading.note(400.0)[0]) == ("text", "could not be read, this is 5m old")


def test_a_tab_is_laid_out_once_for_each_reading_and_width() -> None:
    made: list[int] = []

    def make(value: str, width: int) -> list[Line]:
        made.append(width)
        return [text_line(value)]

    reading: Reading[str] = Reading()
    lines = TabLines(reading, make)
    reading.take("one", 0.0)
    for width in (80, 80, 100, 100):
        lines(width)
    reading.fail("gone")
    assert [plain(line) for line in lines(100)] == ["! gone", "one"]
    assert made == [80, 100, 100]


def test_every_file_and_hunk_of_a_drift_is_found_in_both_directions() -> None:
    found = fake_drift(edited("a.nix", "x"), edited("b.nix", "y"))
    lines, places = drift_document(found, 80)
    starts = [start for start, _ in places.files]
    assert [plain(lines[start]).split()[0] for start in starts] == ["a.nix", "b.nix"]
    assert all(plain(lines[hunk]).startswith("@@") for hunk in places.hunks)
    assert places.next_file(starts[0], backwards=False) == starts[1]
    assert places.next_file(starts[1], backwards=True) == starts[0]
    assert places.next_file(starts[1], backwards=False) is None
    assert [places.file_at(line) for line in (0, starts[1] - 1, starts[1] + 1)] == ["a.nix", "a.nix", "b.nix"]


def test_only_what_can_be_taken_is_offered_to_be_adopted_and_what_is_ignored_is_not_overwritten() -> None:
    stays = fake_drift(edited("a.nix", "x", stays="not text"))
    ignored = fake_drift(edited("notes", "x", ignored="notes"))
    assert adopt_reason(fake_drift(edited("a.nix", "x"))) == ""
    assert adopt_reason(stays) == "none of the edits can be adopted"
    assert adopt_reason(fake_drift(hardware="@@ -1 +1 @@\n-a\n+b\n")) == ""
    merged = fake_drift(replace(edited("a.nix", "x"), merged=True))
    assert adopt_reason(merged) == "main has these texts already: r brings the host there"
    assert overwrite_reason(stays) == ""
    assert overwrite_reason(ignored) == "nobody edited anything there"
    assert overwrite_reason(fake_drift(other=("/etc/nixos is at 123",))) == ""


def test_a_difference_of_a_million_lines_is_cut_and_says_so() -> None:
    found = fake_drift(edited("a.nix", *["x = 1;"] * 100_000))
    lines, _ = drift_document(found, 80)
    assert len(lines) < 2100
    assert "more lines of it are not shown" in plain(lines[-1])


def test_a_line_that_looks_like_a_header_is_shown_as_the_change_that_it_is() -> None:
    unified = "--- a/q.sql\n+++ b/q.sql\n@@ -1 +1 @@\n--- a comment\n+++ another\n"
    lines, hunks = diff_lines(unified, 80)
    assert ([plain(line) for line in lines], hunks) == (["@@ -1 +1 @@", "--- a comment", "+++ another"], [0])


def test_units_are_found_by_any_word_of_their_row() -> None:
    found = UnitList(units=(fake_unit("a.service"), fake_unit("b.service", "failed", "failed", "the B")), more=5)
    assert [unit.name for unit in matching(found, "failed b")] == ["b.service"]
    assert matching(found, "nothing") == ()
    assert units_note(found, 1, "x") == "1/7 units, 1 failed, filter: x, 5 are not listed"


def test_the_journal_keeps_a_bounded_number_of_bytes_whatever_a_host_prints() -> None:
    journal = HostJournal()
    journal.begin()
    for _ in range(40):
        journal.take(["A" * 1_000_000] * 50)
    assert journal.ring.cost <= journal.ring.budget
    assert journal.ring.end == 2000


def test_every_priority_can_be_chosen_and_all_is_none() -> None:
    keys = [choice.key for choice in priority_choices()]
    assert priority_of(keys[0]) == ""
    assert [priority_of(key) for key in keys[1:4]] == ["emerg", "alert", "crit"]


def test_a_hosts_part_of_a_run_has_its_own_end_and_duration(backend: FakeBackend) -> None:
    run = backend.start_detached(backend.plan_verb("rebuild", ("dns01", "docker01")))
    backend.end_host(run, "dns01", "failed", "it broke")
    store = RunStore(backend.state_dir / "runs")
    [mine], [other] = parts_of(store, "dns01"), parts_of(store, "docker01")
    assert (mine.status, mine.summary, mine.seconds) == ("failed", "it broke", 0.0)
    assert (other.status, other.seconds) == ("running", None)
    assert parts_of(store, "tappaas-vllm") == ()
    backend.live.close()


def test_a_host_without_a_vm_says_so_and_sizes_are_readable() -> None:
    assert plain(vm_lines(VmLook(vmid=0), 80)[0]).startswith("it has no VM")
    assert [size_word(size) for size in (0, 2048, 5 << 20, 3 << 40)] == ["0 B", "2.0 KiB", "5.0 MiB", "3072.0 GiB"]


def test_text_of_a_unit_cannot_hide_behind_control_characters() -> None:
    lines = unit_lines(UnitLook(name="x", status="\x1b[2Jgone\n\u202eevil", journal=""), 80)
    shown = "\n".join(plain(line) for line in lines)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "gone" in shown
