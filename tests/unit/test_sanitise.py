"""The sanitiser is the only thing between a guest's output and the operator's terminal; every branch is tested here."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.adapters.text import CUT_MARK, LINE_LIMIT, Sanitiser, last_segment, sanitise

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

PIECES = st.sampled_from(
    ["\x1b", "[", "]", "P", "_", "^", "X", "k", "\\", "\x07", "\x9b", "\x9c", "\x9d", "\x90", "31m", "0;t", "\n", "\r",
     "\t", "é", "🦀", "\u202e", "\u200b", "\x18", "\x1a", " ", "#8", "a", "b" * 3000, "\x00", "\x7f", "\x85", "\u2028"]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)


def clean(*chunks: bytes) -> str:
    sanitiser = Sanitiser()
    return "".join([sanitiser.feed(chunk) for chunk in chunks] + [sanitiser.finish()])


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain text\n", "plain text\n"),
        (b"a\tb\n", "a\tb\n"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b[Hgone", "gone"),
        (b"\x1b[?1049hx", "x"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        (b"\x1bP1$r0m\x1b\\after", "after"),
        (b"\x1b_app\x1b\\after", "after"),
        (b"\x1b^private\x1b\\after", "after"),
        (b"\x1bXstart\x1b\\after", "after"),
        (b"\x1bktitle\x1b\\after", "after"),
        (b"\x1b#8\x1b(B\x1bcafter", "after"),
        (b"\x1b\x1b[1mbold", "bold"),
        (b"\x1b]a\x18after", "after"),
        (b"\x1b]a\x1aafter", "after"),
        ("\x9b31mred".encode(), "red"),
        ("\x9d0;title\x9cafter".encode(), "after"),
        ("\x90dcs\x9cafter".encode(), "after"),
        (b"\x9b31m", "\ufffd31m"),
        (b"bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
        ("nel\x85ls\u2028".encode(), "nells<U+2028>"),
        ("a\u202eb\u200bc\ufeff".encode(), "a<U+202E>b<U+200B>c<U+FEFF>"),
        ("tag\U000e0041".encode(), "tag<U+E0041>"),
        (b"bad \xff\xfe utf", "bad \ufffd\ufffd utf"),
        (b"cut \xe2\x82", "cut \ufffd"),
        (b"\x1b[31", ""),
        (b"\x1b", ""),
        (b"\x1b\xc3\xa9", "é"),
        (b"\x1b[3\xc3\xa9", "é"),
        (b"\x1b\nnext", "\nnext"),
        (b"\x1b[1;\nnext", "\nnext"),
    ],
)
def test_a_sequence_never_reaches_the_terminal(raw: bytes, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize("opener", [b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX"])
def test_an_unterminated_string_hides_its_line_and_no_more(opener: bytes) -> None:
    assert clean(b"seen " + opener + b"hidden\nseen again\n") == "seen \nseen again\n"
    assert clean(opener + b"hidden\rseen") == "\rseen"


def test_carriage_returns_are_kept_for_the_log_writer_but_never_before_a_newline() -> None:
    assert clean(b"10%\r20%\rdone\r\nnext\r\r\n") == "10%\r20%\rdone\nnext\n"
    assert clean(b"a\r", b"\nb") == "a\nb"
    assert clean(b"a\r", b"b") == "a\rb"
    assert clean(b"a\r", b"\r", b"\n") == "a\n"
    assert clean(b"a\r") == "a\r"


def test_the_last_segment_is_what_a_terminal_shows() -> None:
    assert last_segment("10 %\r20 %\r") == "20 %"
    assert last_segment("plain") == "plain"


def test_a_long_line_is_cut_once_with_a_mark_and_the_next_line_is_whole() -> None:
    long = b"x" * (LINE_LIMIT + 1)
    assert clean(long + b"\nnext\n") == "x" * LINE_LIMIT + CUT_MARK + "\nnext\n"
    assert clean(long, b"more", b"more\nnext") == "x" * LINE_LIMIT + CUT_MARK + "\nnext"
    assert clean(b"x" * LINE_LIMIT, b"\n") == "x" * LINE_LIMIT + "\n"


def test_endless_progress_on_one_line_is_never_cut() -> None:
    assert CUT_MARK not in clean(*[b"1234567 %\r"] * 2000)


def test_after_the_end_a_stream_starts_clean() -> None:
    sanitiser = Sanitiser()
    assert sanitiser.feed(b"") == ""
    assert sanitiser.feed(b"\x1b]hidden") == ""
    assert sanitiser.finish() == ""
    assert sanitiser.feed(b"seen") == "seen"


def test_a_lone_surrogate_becomes_a_replacement_character_that_any_file_takes() -> None:
    assert sanitise("a\ud800b") == "a\ufffdb"


def test_one_value_has_no_carriage_return() -> None:
    assert sanitise("fake\rtrue") == "fake\ntrue"


@given(HOSTILE)
def test_nothing_forbidden_comes_through(text: str) -> None:
    assert not FORBIDDEN.search(clean(text.encode(errors="surrogatepass")))
    assert not FORBIDDEN.search(sanitise(text))


@given(HOSTILE)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)


@given(HOSTILE, st.lists(st.integers(min_value=0, max_value=40), max_size=8))
@settings(max_examples=200)
def test_where_the_chunks_end_makes_no_difference(text: str, cuts: list[int]) -> None:
    raw = text.encode(errors="replace")
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    chunks = [raw[start:end] for start, end in itertools.pairwise(edges)]
    assert clean(*chunks) == clean(raw)


@given(
    st.lists(st.sampled_from(["\x1b", "\x1b[", "[", "1", ";", "m", " ", "x", "é", "\n", "\r", "\x9b", "\x07"])).map(
        "".join
    )
)
@settings(max_examples=500)
def test_the_quick_way_for_colours_is_the_walk_byte_by_byte(text: str) -> None:
    raw = text.encode()
    assert clean(*(raw[index : index + 1] for index in range(len(raw)))) == clean(raw)


@pytest.mark.parametrize("piece", [b"\x1b]", b"\x1b[", b"\x1b[1;", b"\x1bP\x1b", b"\r", b"\xff", "\u202e".encode()])
def test_time_is_linear_in_hostile_input(piece: bytes) -> None:
    def seconds(count: int) -> float:
        data = piece * count
        start = time.process_time()
        clean(data)
        return time.process_time() - start

    assert seconds(8000) < 40 * max(seconds(1000), 0.0005)
