"""Parts of a line in tones, and what stands out in one: what was searched for, blanks, spelled-out characters."""

from __future__ import annotations

import re
from typing import Final

from pvenix_tui.glyphs import DOT
from pvenix_tui.models.lines import Line, Span, Tone, plain

_SPELLED: Final = re.compile(r"<U\+[0-9A-F]{4,6}>")


def part(line: Line, start: int, end: int) -> Line:
    """The characters of a line from `start` up to `end`."""
    spans: list[Span] = []
    at = 0
    for text, tone in line:
        found = text[max(0, start - at) : max(0, end - at)]
        if found:
            spans.append((found, tone))
        at += len(text)
    return tuple(spans)


def with_matches(line: Line, search: str) -> Line:
    """The line with `search`, in whatever case, standing out; the whole of it where its case cannot be folded in place."""
    text, wanted = plain(line), search.casefold()
    folded = text.casefold()
    if not wanted or wanted not in folded:
        return line
    if len(folded) != len(text):
        return ((text, Tone.MATCH),)
    found: list[Span] = []
    at = 0
    while (hit := folded.find(wanted, at)) >= 0:
        found += [*part(line, at, hit), (text[hit : hit + len(wanted)], Tone.MATCH)]
        at = hit + len(wanted)
    return (*found, *part(line, at, len(text)))


def with_spelled(line: Line) -> Line:
    """The line with its spelled-out characters standing out."""
    text = plain(line)
    found: list[Span] = []
    at = 0
    for hit in _SPELLED.finditer(text):
        found += [*part(line, at, hit.start()), (hit[0], Tone.BAD)]
        at = hit.end()
    return (*found, *part(line, at, len(text)))


def blanks_drawn(text: str) -> Line:
    """The text with its blanks drawn."""
    return tuple(
        (DOT * len(piece) if piece.isspace() else piece, Tone.WARN if piece.isspace() else Tone.PLAIN)
        for piece in re.split(r"( +)", text)
        if piece
    )
