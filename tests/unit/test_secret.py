"""A secret is masked in every form and at every border between two pieces of text."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.logs import CleanFormatter
from pvenix.adapters.text import LINE_LIMIT, Sanitiser, sanitise
from pvenix.engine.journal import SqliteJournal
from pvenix.engine.narrator import HostLog, Narrator
from pvenix.engine.runfiles import RunDir
from pvenix.model.events import Command, Event
from pvenix.model.secret import KNOWN, MASK, Redactor, Secret

CANARY = "k4nary\"-\\O'/+ ü=x9"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nAAAEbm9uZQAAAAAAAAAB\nxyz\n-----END OPENSSH PRIVATE KEY-----\n"


def spellings(value: str) -> list[str]:
    """Written here once more, so that a form which the filter forgets is missed."""
    raw = value.encode()
    return [
        value,
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        shlex.quote(value),
        repr(value),
    ]


def left_of(value: str, text: str) -> int:
    """The longest piece of any spelling of `value` that `text` still shows, in characters."""
    longest = 0
    for spelling in spellings(value):
        for start in range(len(spelling)):
            while spelling[start : start + longest + 1] in text and start + longest < len(spelling):
                longest += 1
    return longest


@pytest.mark.parametrize("number", range(len(spellings(CANARY))))
def test_every_spelling_of_a_secret_is_masked(number: int) -> None:
    Secret(CANARY)
    assert KNOWN.clean(f"<{spellings(CANARY)[number]}>").strip("\"'") in (f"<{MASK}>", f'<"{MASK}">', f"<'{MASK}'>")


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"use", b"user:"])
@pytest.mark.parametrize("after", [b"", b"\n", b"ab", b"abc"])
def test_in_the_base64_of_something_longer_no_more_than_a_shared_character_is_left(before: bytes, after: bytes) -> None:
    Secret(CANARY)
    shown = KNOWN.clean(base64.b64encode(before + CANARY.encode() + after).decode())
    assert shown.count(MASK) == 1
    left, right = shown.split(MASK)
    assert len(left) <= len(before) * 8 // 6 + 2
    assert len(right) <= len(after) * 8 // 6 + 4


def test_a_secret_prints_as_asterisks_wherever_it_is_held() -> None:
    @dataclass(frozen=True, slots=True)
    class Holder:
        name: str
        token: Secret

    holder = Holder("a", Secret(CANARY))
    for shown in (repr(holder), str(holder.token), f"{holder.token}", f"{holder.token!r:>20}"):
        assert MASK in shown
        assert CANARY not in shown


@pytest.mark.parametrize("write", [pickle.dumps, copy.deepcopy, json.dumps])
def test_a_secret_is_neither_copied_nor_written_down(write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError):
        write(Secret(CANARY))


def test_a_holder_of_a_secret_has_no_dictionary_of_it() -> None:
    @dataclass
    class Holder:
        token: Secret

    with pytest.raises(TypeError):
        asdict(Holder(Secret(CANARY)))


def test_each_line_of_a_key_is_masked_but_not_the_header_that_every_key_has() -> None:
    Secret(KEY)
    shown = KNOWN.clean(f"cat id\n{KEY}done")
    assert shown.splitlines() == [
        "cat id",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        MASK,
        MASK,
        "xyz",
        "-----END OPENSSH PRIVATE KEY-----",
        "done",
    ]
    assert KNOWN.clean(base64.b64encode(KEY.encode()).decode()) == MASK


def test_what_is_shorter_than_six_characters_is_not_masked() -> None:
    Secret("12345")
    assert KNOWN.clean("port 12345") == "port 12345"
    Secret("123456")
    assert KNOWN.clean("code 123456") == f"code {MASK}"


def test_of_two_secrets_the_longer_one_is_masked_whole() -> None:
    redactor = Redactor()
    redactor.add("secret")
    redactor.add("secretary")
    assert redactor.clean("the secretary's secret") == f"the {MASK}'s {MASK}"


def test_a_filter_that_forgets_masks_nothing() -> None:
    redactor = Redactor()
    redactor.add(CANARY)
    redactor.forget()
    assert redactor.clean(CANARY) == CANARY
    assert redactor.size == 0


def test_texts_inside_of_values_are_masked_and_nothing_else_of_them() -> None:
    Secret("hunter22")
    value = {"hunter22": ["a hunter22", ("x", {"b": "hunter22!"}), 7, None, 1.5, True]}
    assert KNOWN.masked(value) == {"hunter22": ["a ****", ("x", {"b": "****!"}), 7, None, 1.5, True]}


@given(st.lists(st.integers(1, 9), max_size=40), st.text("ab k4nary\n", max_size=30))
def test_a_secret_is_masked_wherever_its_pieces_are_parted(sizes: list[int], around: str) -> None:
    redactor = Redactor()
    redactor.add("k4nary-k4nary")
    text = f"{around}k4nary-k4nary{around}k4nary-k4narz{around}k4nary"
    stream = redactor.stream()
    shown, position = "", 0
    for size in sizes:
        shown += stream.feed(text[position : position + size])
        position += size
    shown += stream.feed(text[position:]) + stream.finish()
    assert shown == redactor.clean(text)


def test_a_stream_holds_back_no_more_than_a_secret_may_have_begun() -> None:
    redactor = Redactor()
    redactor.add("k4nary-k4nary")
    stream = redactor.stream()
    assert stream.feed("plain text") == "plain text"
    assert stream.feed("word k4na") == "word "
    assert stream.feed("pkin") == "k4napkin"


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sanitiser_masks_what_colours_and_chunks_part(first: int, second: int) -> None:
    KNOWN.forget()
    Secret("hunter22-hunter22")
    data = b"\x1b[1mpassword \x1b[0mhunter\x1b[31m22-hunt\x1b[0mer22\r\nnext hunter22-hunter22"
    one, two = sorted((first, second))
    sanitiser = Sanitiser()
    shown = "".join(sanitiser.feed(piece) for piece in (data[:one], data[one:two], data[two:])) + sanitiser.finish()
    assert shown == f"password {MASK}\nnext {MASK}"


def test_the_place_where_a_long_line_is_cut_shows_no_piece_of_a_secret() -> None:
    Secret("hunter22-hunter22")
    for before in range(LINE_LIMIT - 20, LINE_LIMIT):
        assert "hunter" not in sanitise("x" * before + "hunter22-hunter22")


def test_a_log_masks_a_secret_that_comes_in_pieces_of_an_endless_line(tmp_path: Path) -> None:
    Secret("hunter22-hunter22")
    log = HostLog(tmp_path / "host.log", sanitise, SystemClock())
    for piece in ("x" * 4090, "hunter22-", "hunter22", "y" * 5000, "hunt"):
        log.write(piece)
    log.line("$ echo hunter22-hunter22")
    log.close()
    text = (tmp_path / "host.log").read_text()
    assert "hunter22" not in text
    assert text.replace("\n", "").count(MASK) == 2


def test_events_and_their_listener_get_masked_text(tmp_path: Path) -> None:
    Secret(CANARY)
    (tmp_path / "log").mkdir()
    heard: list[Event] = []
    with Narrator(RunDir(tmp_path), SystemClock(), heard.append, clean=sanitise) as narrator:
        narrator.emit(
            Command, host="a", step="0.0.x", channel="ssh", text=f"curl -H {shlex.quote(CANARY)}", writes=True
        )
        narrator.log("a").line(f"$ {CANARY}")
    assert isinstance(heard[0], Command)
    assert left_of(CANARY, heard[0].text) <= 1
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or left_of(CANARY, file.read_text()) <= 2


async def test_the_journal_has_masked_values(tmp_path: Path) -> None:
    Secret(CANARY)
    with SqliteJournal(tmp_path / "journal.sqlite") as journal:
        await journal.intent("a", "0.0.x", note=f"with {CANARY}")
        journal.evidence("a", "0.0.x", url=quote(CANARY))
        await journal.result("a", "0.0.x", status="ok", summary=repr(CANARY))
    entries = {entry.what: dict(entry.data) for entry in journal.entries()}
    assert entries["intent"] == {"note": f"with {MASK}"}
    assert entries["evidence"] == {"url": MASK}
    assert entries["result"]["status"] == "ok"
    raw = raw_text(tmp_path)
    assert not [spelling for spelling in spellings(CANARY) if spelling in raw]


def raw_text(folder: Path) -> str:
    """Every byte of every file."""
    return b"".join(file.read_bytes() for file in folder.iterdir()).decode("latin-1")


def test_a_traceback_in_a_log_is_masked() -> None:
    Secret("hunter22-hunter22")
    with pytest.raises(ValueError, match="hunter22") as caught:
        int("hunter22-hunter22")
    record = logging.LogRecord("x", 40, "f", 1, "step %s", ("a",), caught._excinfo)
    shown = CleanFormatter().format(record)
    assert f"invalid literal for int() with base 10: '{MASK}'" in shown
    assert "hunter22" not in shown
