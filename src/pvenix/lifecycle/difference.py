"""The unified difference of two texts, in time that a person does not notice for files of a megabyte.

Lines that each side has once, in the order that both have them, part the texts into pieces (patience diff); only small
pieces are compared line by line with line, as `difflib` does it, whose time grows with the square of a text's length.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from typing import Final

from typing_extensions import override

from pvenix.model.paths import quoted

_CONTEXT: Final = 3
_EACH_AGAINST_EACH: Final = 40_000
"""Pairs of lines of a piece up to which it is compared line by line."""
UNFINISHED: Final = "\\ No newline at end of file"


def unified(path: str, old: str, new: str) -> list[str]:
    """The difference as `diff -u` prints it, a line each with its newline; nothing for equal texts."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if before == after:
        return []
    found = _Matched((*_merged(_matches(before, after)), Match(len(before), len(after), 0)))
    lines = [f"--- {quoted(f'a/{path}')}\n", f"+++ {quoted(f'b/{path}')}\n"]
    for group in found.get_grouped_opcodes(_CONTEXT):
        lines.append(f"@@ -{_span(group[0][1], group[-1][2])} +{_span(group[0][3], group[-1][4])} @@\n")
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                lines += [_whole(f" {line}") for line in before[old_start:old_end]]
            else:
                lines += [_whole(f"-{line}") for line in before[old_start:old_end]]
                lines += [_whole(f"+{line}") for line in after[new_start:new_end]]
    return lines


class _Matched(SequenceMatcher[str]):
    """Matches that were found elsewhere, for the hunks that `difflib` makes of them."""

    def __init__(self, blocks: Sequence[Match]) -> None:
        super().__init__(None, (), ())
        self._blocks = list(blocks)

    @override
    def get_matching_blocks(self) -> list[Match]:
        return self._blocks


def _span(start: int, end: int) -> str:
    """A range of a hunk's header: an empty one is named by the line before it."""
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + bool(length)},{length}"


def _whole(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n{UNFINISHED}\n"


def _matches(before: Sequence[str], after: Sequence[str]) -> Iterator[Match]:
    """Equal pieces of both, in order."""
    old = new = 0
    for old_at, new_at in (*_anchors(before, after), (len(before), len(after))):
        yield from _piece(before, after, (old, old_at), (new, new_at))
        if old_at < len(before):
            yield Match(old_at, new_at, 1)
        old, new = old_at + 1, new_at + 1


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Lines that each side has exactly once, as many as keep their order on both sides."""
    once = {line for line, count in Counter(before).items() if count == 1}
    once &= {line for line, count in Counter(after).items() if count == 1}
    places = {line: at for at, line in enumerate(after) if line in once}
    pairs = [(at, places[line]) for at, line in enumerate(before) if line in once]
    ends: list[int] = []
    """The smallest end of an ascending row of each length."""
    rows: list[int] = []
    links: list[int] = []
    for number, (_, there) in enumerate(pairs):
        length = bisect.bisect_left(ends, there)
        links.append(rows[length - 1] if length else -1)
        ends[length : length + 1], rows[length : length + 1] = [there], [number]
    chosen, at = [], rows[-1] if rows else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = links[at]
    return chosen[::-1]


def _piece(before: Sequence[str], after: Sequence[str], old: tuple[int, int], new: tuple[int, int]) -> Iterator[Match]:
    """Equal pieces between two anchors: at both ends, and in the middle when that is small."""
    (start, end), (there, last) = old, new
    while start < end and there < last and before[start] == after[there]:
        yield Match(start, there, 1)
        start, there = start + 1, there + 1
    same = 0
    while end - same > start and last - same > there and before[end - same - 1] == after[last - same - 1]:
        same += 1
    if (end - same - start) * (last - same - there) <= _EACH_AGAINST_EACH:
        middle = SequenceMatcher(None, before[start : end - same], after[there : last - same], autojunk=False)
        for match in middle.get_matching_blocks():
            yield Match(start + match.a, there + match.b, match.size)
    if same:
        yield Match(end - same, last - same, same)


def _merged(matches: Iterator[Match]) -> list[Match]:
    """Matches that follow right upon each other, as one."""
    found: list[Match] = []
    for match in matches:
        if found and found[-1].a + found[-1].size == match.a and found[-1].b + found[-1].size == match.b:
            found[-1] = Match(found[-1].a, found[-1].b, found[-1].size + match.size)
        elif match.size:
            found.append(match)
    return found
