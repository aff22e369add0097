"""A VM's notes: our lines among a person's text."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.engine.ports import VmConfig
from pvenix.lifecycle import notes
from pvenix.lifecycle.notes import LIMIT, Notes, inert, parse
from pvenix.lifecycle.ownership import fleet_of, marker

FOREIGN = st.text(alphabet=st.characters(codec="utf-8"), max_size=60).filter(
    lambda text: not any(line.startswith("pvenix-") for line in text.split("\n"))
)
WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
MARKED = st.builds(
    Notes,
    above=FOREIGN.map(lambda text: f"{text}\n" if text else ""),
    below=FOREIGN.map(lambda text: f"\n{text}" if text else ""),
    host=WORD,
    fleet=WORD,
    run=WORD,
    applied=st.dictionaries(WORD, st.text(max_size=30), max_size=8),
)


@given(MARKED)
def test_what_was_written_is_what_is_read(one: Notes) -> None:
    assert parse(str(one)) == one


@given(MARKED, st.dictionaries(WORD, st.text(max_size=30), max_size=8))
def test_a_new_record_leaves_every_byte_of_others_text(one: Notes, applied: dict[str, str]) -> None:
    read = parse(str(one))
    again = parse(str(Notes(above=read.above, below=read.below, host="h", fleet="f", run="r", applied=applied)))
    assert (again.above, again.below) == (one.above, one.below)


@given(FOREIGN)
def test_text_without_our_lines_is_all_a_persons(text: str) -> None:
    read = parse(text)
    assert (str(read), read.text, read.host, read.applied) == (text, text.strip("\n"), "", {})


@given(FOREIGN, FOREIGN)
def test_notes_that_pvenix_wrote_are_written_again_byte_for_byte(above: str, below: str) -> None:
    ours = str(Notes(host="dns01", fleet="lab", run="r", applied={"cores": "2"}))
    text = f"{above}\n{ours}\n{below}"
    assert str(parse(text)) == text


@given(FOREIGN.filter(bool))
def test_marks_come_after_the_text_that_was_there(text: str) -> None:
    marked = str(replace(parse(text), host="dns01"))
    assert marked == (f"{text}pvenix-host: dns01" if text.endswith("\n") else f"{text}\npvenix-host: dns01")


@given(st.text(max_size=200))
def test_no_text_is_an_error_and_none_grows_when_it_is_written_again(text: str) -> None:
    once = str(parse(text))
    assert str(parse(once)) == once


@given(
    st.lists(st.sampled_from(["pvenix-host: evil", "pvenix-applied: {}", "pvenix-fleet: x", "hello", ""]), max_size=6)
)
def test_declared_notes_pass_for_no_mark(lines: list[str]) -> None:
    text = inert("\n".join(lines))
    assert parse(text).host == parse(text).fleet == ""
    assert parse(str(Notes(above=text, host="dns01", fleet="lab"))).host == "dns01"


def test_a_person_may_write_above_between_and_below_our_lines() -> None:
    ours = str(Notes(host="dns01", fleet="lab", run="r", applied={"cores": "2"})).split("\n")
    read = parse("\n".join(["above", ours[0], "between", *ours[1:], "below"]))
    assert (read.host, read.fleet, read.applied) == ("dns01", "lab", {"cores": "2"})
    assert (read.above, read.below) == ("above\n", "\nbetween\nbelow")


@pytest.mark.parametrize(
    "record", ["{", "[]", "null", '{"cores": 2}', '{"cores": {"a": "b"}}', "[" * 7000, "9" * 5000, '"x"', ""]
)
def test_a_spoilt_record_is_no_record(record: str) -> None:
    read = parse(f"pvenix-host: dns01\npvenix-applied: {record}")
    assert (read.host, read.applied) == ("dns01", {})


def test_line_ends_of_another_system_spoil_no_mark() -> None:
    ours = str(Notes(host="dns01", fleet="lab", run="r", applied={"cores": "2"}))
    read = parse(f"hello\n{ours}\nbye".replace("\n", "\r\n"))
    assert (read.host, read.fleet, read.applied) == ("dns01", "lab", {"cores": "2"})
    assert (read.above, read.below) == ("hello\r\n", "\nbye")


def test_the_first_of_two_marks_counts() -> None:
    read = parse("pvenix-host: dns01\npvenix-host: docker01")
    assert (read.host, read.below) == ("dns01", "\npvenix-host: docker01")


def test_a_record_without_room_is_left_out_and_the_marks_stay() -> None:
    long = Notes(above="x" * (LIMIT - 80), host="dns01", fleet="lab", run="r", applied={"cores": "2" * 60})
    assert len(str(long)) <= LIMIT
    assert (parse(str(long)).host, parse(str(long)).applied) == ("dns01", {})


def test_the_record_is_one_line_of_plain_json() -> None:
    line = str(Notes(host="h", applied={"b": "zwei\nZeilen", "a": "ü"})).split("\n")[-1]
    assert json.loads(line.removeprefix("pvenix-applied: ")) == {"a": "ü", "b": "zwei\nZeilen"}
    assert line.isascii()


def test_the_mark_of_a_clone_is_read_as_such() -> None:
    read = notes.parse(marker("dns01", fleet="lab", run="r1"))
    assert (read.host, read.fleet, read.run, read.text) == ("dns01", "lab", "r1", "")
    assert fleet_of(VmConfig(values={"description": marker("dns01", fleet="lab", run="r1")}, digest="")) == "lab"
