"""What a reviewer reads is the difference, whatever the texts: it turns the old one into the new one."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from pvenix.lifecycle.difference import UNFINISHED, unified
from pvenix.model.paths import quoted

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "\n"]), max_size=24).map("".join)


def patched(old: str, lines: list[str]) -> str:
    """`old` with a unified difference applied, as patch does it; every header and context line is held to be true."""
    source, result, at = old.splitlines(keepends=True), list[str](), 0
    for line in "".join(lines[2:]).split("\n")[:-1]:
        if header := _HUNK.fullmatch(line):
            start, length = int(header[1]), int(header[2] or "1") if header[2] is not None else 1
            result += source[at : (at := start - bool(length))]
            there = int(header[3]) - bool(int(header[4]) if header[4] is not None else 1)
            assert len(result) == there
        elif line != UNFINISHED:
            if line[0] in " -":
                assert source[at].removesuffix("\n") == line[1:]
                at += 1
            if line[0] in " +":
                result.append(line[1:] + "\n")
    return "".join(result + source[at:])


@given(TEXTS, TEXTS)
def test_the_difference_turns_the_old_text_into_the_new_one(old: str, new: str) -> None:
    lines = unified("f", old, new)
    assert patched(old, lines) == new
    assert bool(lines) == (old != new)


def test_a_missing_newline_at_the_end_is_told_and_glues_no_lines_together() -> None:
    assert unified("f", "a", "a\n")[2:] == ["@@ -1 +1 @@\n", f"-a\n{UNFINISHED}\n", "+a\n"]


def test_two_edits_in_a_megabyte_are_two_hunks_and_take_no_time() -> None:
    old = [f"  services.number{number}.enable = true;\n" for number in range(26_000)]
    new = list(old)
    new[100], new[25_000] = "x\n", "y\n"
    start = time.process_time()
    lines = unified("f", "".join(old), "".join(new))
    assert time.process_time() - start < 10
    assert sum(line.startswith("@@") for line in lines) == 2
    assert len(lines) == 2 + 2 * 9


def test_texts_made_to_be_slow_are_not() -> None:
    old = "".join(f"a\nb{number}\n" for number in range(20_000))
    new = "".join(f"a\nc{number}\n" for number in range(20_000))
    start = time.process_time()
    assert unified("f", old, new)
    assert time.process_time() - start < 10


@given(st.text(alphabet='ab/\n\r\t"\\\x1b\u202e+-@ \udcff', min_size=1))
def test_no_name_of_a_file_adds_a_line_to_the_header(path: str) -> None:
    before, after, hunk, removed, added = unified(path, "x\n", "y\n")
    assert before.startswith(("--- a/", '--- "a/'))
    assert after.startswith(("+++ b/", '+++ "b/'))
    assert (hunk, removed, added) == ("@@ -1 +1 @@\n", "-x\n", "+y\n")
    assert before[:-1].isprintable()
    assert after[:-1].isprintable()


def test_a_name_is_written_as_git_writes_it() -> None:
    assert quoted("nix/caf\u00e9 1.nix") == "nix/caf\u00e9 1.nix"
    assert quoted('a\n"\\\u202e') == r'"a\n\"\\\342\200\256"'
