"""How a difference is read and drawn: whatever is in it, its rows say all of it and nothing that acts on a terminal."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pvenix.lifecycle.difference import unified
from pvenix.model.review import Check, FileDiff, Message, Review, Thread, Verdict
from pvenix_tui.models.diff import DiffDocument, Remark
from pvenix_tui.models.highlight import NIX, YAML, highlighted, language_of
from pvenix_tui.models.hunks import Sign, parse
from pvenix_tui.models.lines import Tone, plain, text_line
from pvenix_tui.models.review import ReviewModel, forget_all_but
from pvenix_tui.remembered.memory import Memory
from pvenix_tui.text import safe
from tests.tui.fake_backend import fake_review

PIECES = (
    "''",
    '"',
    "${",
    "}",
    "/*",
    "*/",
    "#",
    "\\",
    "let",
    " x = ",
    "1",
    "'",
    "- ",
    "key: ",
    "|",
    ">",
    "\t",
    " ",
    "é",
    "世",
)
LONG_S = 5.0
"""CPU seconds that a square of a megabyte exceeds by far, and no busy machine for what is linear."""
CODE = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)


def diff_of(old: str, new: str, path: str = "nix/a.nix") -> FileDiff:
    return FileDiff(path=path, kind="host", added=0, removed=0, unified="".join(unified(path, old, new)))


def drawn(old: str, new: str, *, width: int = 60, split: bool = False, path: str = "nix/a.nix") -> list[str]:
    document = DiffDocument(diff_of(old, new, path))
    document.split = split
    document.layout(width)
    return [plain(document.line(index)) for index in range(document.count())]


@given(st.lists(CODE, max_size=6), st.sampled_from(["a.nix", "b.yaml", "c.txt"]))
def test_coloured_text_is_the_text_and_holds_no_control_character(lines: list[str], path: str) -> None:
    language, state = language_of(path), ""
    for line in lines:
        text = safe(line)
        spans = highlighted(language, text, state)
        assert plain(spans) == text
        assert harmless(plain(spans))
        state = language.after(text, state) if language else ""


def harmless(text: str) -> bool:
    """No control, no invisible character, nothing that reorders or ends a line."""
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in text)


def tones(text: str, path: str = "a.nix", state: str = "") -> dict[str, Tone]:
    return dict(highlighted(language_of(path), text, state))


def test_nix_is_told_apart_by_words_strings_and_comments() -> None:
    found = tones('let services.nginx = "on"; in ./x.nix # why')
    assert found["let"] is found["in"] is Tone.HUNK
    assert found["services.nginx"] is Tone.ACCENT
    assert found['"on"'] is Tone.BUSY
    assert found["# why"] is Tone.DIM


def test_a_string_of_several_lines_stays_a_string_until_its_end() -> None:
    state = NIX.after("  script = ''", "")
    assert NIX.spans("    let x = 1;", state) == (("    let x = 1;", Tone.BUSY),)
    state = NIX.after("    ''${not the end} ''' nor that", state)
    assert NIX.after("  '';", state) == ""


def test_yaml_is_told_apart_by_keys_values_and_block_scalars() -> None:
    found = tones('  vmid: "201" # id', "a.yaml")
    assert (found["vmid"], found['"201"'], found["# id"]) == (Tone.ACCENT, Tone.BUSY, Tone.DIM)
    state = YAML.after("  motd: |", "")
    assert YAML.spans("    key: not one", state) == (("    key: not one", Tone.BUSY),)
    assert YAML.after("  next: 1", state) == ""


def test_a_line_has_the_number_of_each_side_and_pairs_with_what_it_took_the_place_of() -> None:
    lines = parse("--- a/x\n+++ b/x\n@@ -3,3 +3,3 @@\n a\n-b\n-c\n+B\n d\n")
    assert [(line.sign, line.old, line.new) for line in lines] == [
        (Sign.HUNK, 0, 0), (Sign.SAME, 3, 3), (Sign.REMOVED, 4, 0), (Sign.REMOVED, 5, 0), (Sign.ADDED, 0, 4), (Sign.SAME, 6, 5),
    ]  # fmt: skip
    assert (lines[2].pair, lines[3].pair, lines[4].pair) == (4, -1, 2)


TEXTS = st.lists(st.text(alphabet="ab \t'\"#世é\u202e\x1b", max_size=30), max_size=8).map("\n".join)


@given(TEXTS, TEXTS, st.integers(12, 90), st.booleans())
def test_every_row_fits_and_none_acts_on_the_terminal(old: str, new: str, width: int, split: bool) -> None:
    for row in drawn(old, new, width=max(width, 40) if split else width, split=split):
        assert harmless(row)
        assert cell_len(row) <= max(width, 40)


@given(TEXTS, st.integers(20, 60))
def test_nothing_of_a_new_line_is_hidden_however_long_it_is(new: str, width: int) -> None:
    document = DiffDocument(diff_of("", new, "x.txt"))
    document.layout(width)
    shown: dict[int, str] = {}
    for index in range(document.count()):
        row, line = document.rows[index], document.at(index)
        if line and line.sign is Sign.ADDED:
            shown[row.left] = shown.get(row.left, "") + "".join(text for text, _ in document.line(index)[2:])
    assert list(shown.values()) == [safe(line.text) for line in document.lines if line.sign is Sign.ADDED]


def test_both_sides_stand_beside_each_other() -> None:
    rows = drawn("a\nold\nz\n", "a\nnew\nmore\nz\n", width=60, split=True)
    assert [tuple(part.strip() for part in row.split("│")) for row in rows[1:]] == [
        ("1   a", "1   a"), ("2 - old", "2 + new"), ("", "3 + more"), ("3   z", "4   z"),
    ]  # fmt: skip


def test_blanks_are_drawn_where_they_are_all_that_differs() -> None:
    rows = drawn("a = 1;\nb\n", "  a =\t1;\nc\n")
    assert any(row.endswith("+ ··a·=→···1;") for row in rows)
    assert any(row.endswith("+ c") for row in rows)


def test_characters_that_hide_are_spelled_and_stand_out() -> None:
    document = DiffDocument(diff_of("", "x = \u202e1;\n"))
    document.layout(60)
    assert ("<U+202E>", Tone.BAD) in document.line(1)


def test_a_megabyte_opens_and_shows_its_end_without_work_that_grows_with_its_square() -> None:
    text = "".join(f'  services.number{number}.setting = "value"; # note\n' for number in range(26_000))
    diff = diff_of("", text)
    assert len(diff.unified) > 1_000_000
    start = time.process_time()
    document = DiffDocument(diff)
    document.layout(78)
    shown = [document.line(index) for index in range(40)]
    opened = time.process_time() - start
    start = time.process_time()
    shown += [document.line(index) for index in range(document.count() - 40, document.count())]
    assert opened < LONG_S, "0.06 s on a machine of its own"
    assert time.process_time() - start < LONG_S
    assert len(shown) == 80


def test_one_line_of_a_megabyte_is_cut_into_rows() -> None:
    document = DiffDocument(diff_of("", "x" * 1_000_000 + "END\n"))
    start = time.process_time()
    document.layout(78)
    assert plain(document.line(document.count() - 1)).endswith("END")
    assert time.process_time() - start < LONG_S


def test_hunks_and_matches_are_found_both_ways() -> None:
    old = "".join(f"line {number}\n" for number in range(60))
    document = DiffDocument(diff_of(old, old.replace("line 5\n", "five\n").replace("line 50\n", "FIVE\n"), "x.txt"))
    document.layout(60)
    first, second = 0, document.next_hunk(0)
    assert second is not None
    assert (document.next_hunk(second), document.next_hunk(second, backwards=True)) == (None, first)
    document.search = "five"
    hits = [document.next_match(0), document.next_match(second)]
    assert document.matches == 2
    assert all(hit is not None and ("five", Tone.MATCH) in document.line(hit) for hit in hits[:1])
    assert document.next_match(hits[1] or 0) == hits[0]


@pytest.mark.parametrize("split", [False, True])
def test_a_comment_stands_below_its_line(split: bool) -> None:
    document = DiffDocument(diff_of("a\n", "a\nb\nc\n"), {2: [Remark(id="1", lines=(text_line("ana: why?"),))]})
    document.split = split
    document.layout(80)
    rows = [plain(document.line(index)) for index in range(document.count())]
    at = next(index for index, row in enumerate(rows) if "why?" in row)
    assert "+ b" in rows[at - 1]


# --- what a person has seen ---


def model_of(review: Review) -> ReviewModel:
    model = ReviewModel(Memory())
    model.take(review)
    return model


def test_a_review_is_approvable_when_everything_was_read_and_acknowledged() -> None:
    model = model_of(fake_review())
    assert "not read yet" in model.approval_reason()
    for file in fake_review().files:
        model.mark_seen(file)
    assert "not acknowledged yet: open ports" in model.approval_reason()
    model.acknowledge(model.warnings[0])
    assert model.approval_reason() == ""
    base = fake_review().base
    assert "main moved to ffffffffff" in model.approval_reason(["f" * 40, base])
    assert model.approval_reason([base, "f" * 40]) == ""
    assert model.approval_reason(["e" * 40]) == "", "a history from before the review"
    model.acknowledge(model.warnings[0])
    assert "not acknowledged yet" in model.approval_reason()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": "rejected"}, "this commit is rejected already"),
        ({"mergeable": False}, "it does not merge into main"),
        ({"checks": (Check(name="Nix syntax", verdict=Verdict.FAIL),)}, "a check failed: Nix syntax"),
    ],
)
def test_what_forbids_an_approval_is_said_before_what_is_left_to_do(changes: dict[str, object], why: str) -> None:
    assert why in model_of(replace(fake_review(), **changes)).approval_reason()  # type: ignore[arg-type] # its fields


def test_a_branch_that_the_person_moved_is_no_surprise_and_one_that_went_back_is_none_any_more() -> None:
    model = model_of(fake_review())
    model.own.add("a" * 40)
    model.take(replace(fake_review(), commit="a" * 40))
    assert model.moved_from == ""
    model.take(replace(fake_review(), commit="b" * 40))
    assert model.moved_from == "a" * 40
    model.take(replace(fake_review(), commit="a" * 40))
    assert model.moved_from == ""


def test_an_acknowledgement_is_for_one_commit_and_a_reply_asks_for_it_again() -> None:
    said = Message(by="ana", at="2026-11-20T10:00:00Z", text="x")
    thread = Thread(id="1", commit="c", file="", line=0, quote="", messages=(said,))
    model = model_of(replace(fake_review(), threads=(thread,), checks=()))
    model.acknowledge(model.warnings[0])
    assert model.acknowledged(model.warnings[0])
    model.take(replace(fake_review(), threads=(replace(thread, messages=(said, said)),), checks=()))
    assert not model.acknowledged(model.warnings[0])
    model.acknowledge(model.warnings[0])
    model.own.add("a" * 40)
    model.take(replace(fake_review(), threads=(replace(thread, messages=(said, said)),), checks=(), commit="a" * 40))
    assert not model.acknowledged(model.warnings[0])


def test_what_was_seen_of_branches_that_are_gone_is_forgotten() -> None:
    memory = Memory()
    for host in ("web1", "web2"):
        model = ReviewModel(memory)
        model.take(fake_review(host))
        model.mark_seen(model.review.files[0] if model.review else diff_of("", ""))
    forget_all_but(memory, frozenset({"registration/web2"}))
    assert all(place.startswith("registration/web2 ") for place in memory.table("review.seen"))
    assert len(memory.table("review.seen")) == 1
