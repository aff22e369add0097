"""A strict reader of what a program sends to a terminal: every byte belongs to something that is allowed, or is told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

MODES: Final = frozenset({
    7, 25, 1000, 1003, 1004, 1006, 1007, 1015, 1016, 1049, 2004, 2026, 2048,
})  # fmt: skip
"""Private modes that Textual sets and resets: wrap, cursor, mouse, focus, other screen, paste, whole frames, size."""
_SEQUENCE: Final = re.compile(rb"\x1b\[([<-?]?)([0-9;:]*)([ -/]*)([@-~])")
_SAVED: Final = re.compile(rb"\x1b[78]|\x1b[=>]|\x1b\]22;[a-z-]*\x07")
"""Cursor saved and restored, keypad modes, and Textual's shape of the mouse pointer."""
_CLIPBOARD: Final = re.compile(rb"\x1b\]52;c;[A-Za-z0-9+/=]*\x07")
_NOTICE: Final = re.compile(rb"\x1b\]9;[ -~\xc2-\xf4\x80-\xbf]*\x07")
_TEXT: Final = re.compile(rb"[^\x1b]+")
_QUERIES: Final = ("2026", "2048")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def wrong_in(
    data: bytes, *, columns: int = 300, rows: int = 100, copies: bool = False, tells: bool = False
) -> list[str]:
    """What of the output is not allowed; empty when all is. `copies` allows the clipboard, `tells` notices (OSC 9)."""
    return list(_wrong(data, columns, rows, [*([_CLIPBOARD] if copies else []), *([_NOTICE] if tells else [])]))


def _wrong(data: bytes, columns: int, rows: int, more: Sequence[re.Pattern[bytes]]) -> Iterator[str]:
    at = 0
    while at < len(data):
        if data[at] != 0x1B:
            text = _TEXT.match(data, at)
            assert text is not None
            yield from _wrong_text(text[0])
            at = text.end()
            continue
        found = _SEQUENCE.match(data, at)
        if found is not None:
            private, numbers, between, final = (part.decode() for part in found.groups())
            why = _wrong_sequence(private, numbers, between + final, (columns, rows))
            if why:
                yield f"{found[0]!r}: {why}"
            at = found.end()
            continue
        other = next((found for kind in (_SAVED, *more) if (found := kind.match(data, at))), None)
        if other is not None and other.re is _NOTICE:
            yield from _wrong_text(other[0][4:-1])
        if other is None:
            yield f"{data[at : at + 40]!r} is no sequence of ours"
        at = other.end() if other is not None else at + 1


def _wrong_sequence(private: str, numbers: str, final: str, size: tuple[int, int]) -> str:
    match private, final:
        case "", "m":
            return "a colour of an attack" if "38;2;1;2;3" in numbers else ""
        case "", "H":
            place = [int(each or "1") for each in numbers.split(";")] if numbers else [1, 1]
            outside = len(place) != 2 or not (1 <= place[0] <= size[1] and 1 <= place[1] <= size[0])
            return "outside of the screen" if outside else ""
        case "?", "h" | "l":
            return "" if {int(each) for each in numbers.split(";")} <= MODES else "a mode that is not ours"
        case "?", "$p" if numbers in _QUERIES:
            return ""
        case ">" | "<", "u":
            return ""
        case _:
            return "a kind that is not ours"


def _wrong_text(raw: bytes) -> Iterator[str]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"{raw[max(0, error.start - 10) : error.start + 10]!r} is not UTF-8"
        return
    for character in set(text):
        if character not in "\r\n" and unicodedata.category(character) in _HIDDEN:
            yield f"U+{ord(character):04X} in {text[max(0, text.index(character) - 20) :][:40]!r}"
