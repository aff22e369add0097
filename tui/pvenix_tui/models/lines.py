"""Lines of toned text and tables of them: what every list, document and bar is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size

from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.text import safe


class Tone(StrEnum):
    """How a piece of text is meant; the style sheet gives it a colour, the words say it without one."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    TITLE = "title"
    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    BUSY = "busy"
    ACCENT = "accent"
    HUNK = "hunk"
    MATCH = "match"


Span = tuple[str, Tone]
Line = tuple[Span, ...]

EMPTY: Final[Line] = ()


def text_line(text: str, tone: Tone = Tone.PLAIN) -> Line:
    """One span of foreign or own text."""
    return ((safe(text), tone),)


def plain(line: Line) -> str:
    """The text of a line without its tones."""
    return "".join(text for text, _ in line)


def cells(line: Sequence[Span]) -> int:
    """The width of a line."""
    return sum(cell_len(text) for text, _ in line)


def fit(text: str, width: int) -> str:
    """`text`, sanitised, in exactly `width` cells: padded, or cut with an ellipsis."""
    text = safe(text)
    length = cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    if width <= 0:
        return ""
    return set_cell_size(text, width - 1) + ELLIPSIS


def fit_words(text: str, width: int) -> str:
    """As `fit`, but a text that is cut loses whole words."""
    text = safe(text)
    if cell_len(text) <= width:
        return fit(text, width)
    kept = chop_cells(text, width - 2)[0] if width > 3 else ""
    if not text.startswith(f"{kept} "):
        kept = kept.rpartition(" ")[0]
    return fit(f"{kept.rstrip(' ,;:')} {ELLIPSIS}", width) if kept else fit(text, width)


def clip(line: Line, width: int) -> Line:
    """`line` in at most `width` cells, with an ellipsis where it is cut."""
    if width < 1 or cells(line) <= width:
        return line
    kept = _part(line, 0, len(chop_cells(plain(line)[: 4 * width], width - 1)[0])) if width > 1 else ()
    return (*kept, (ELLIPSIS, kept[-1][1] if kept else Tone.PLAIN))


def wrap(line: Line, width: int, *, indent: int = 0) -> list[Line]:
    """`line` in pieces of at most `width` cells, so that nothing of it is off the screen; later ones indented.

    A piece ends at a space where one is in its second half; no piece begins with the space at which it was cut off.
    """
    if width <= indent + 1 or cells(line) <= width:
        return [line]
    pieces: list[Line] = []
    lead: Line = ()
    rest = line
    while cells(rest) > width - cells(lead):
        text = plain(rest)
        cut = _break(text, width - cells(lead))
        pieces.append((*lead, *_part(rest, 0, cut)))
        rest = _part(rest, cut + (text[cut] == " "), None)
        lead = ((" " * indent, Tone.PLAIN),) if indent else ()
    return [*pieces, (*lead, *rest)]


def wrap_at_most(line: Line, width: int, most: int, *, indent: int = 0) -> list[Line]:
    """As `wrap`, in `most` pieces at most; the last one has an ellipsis where more would follow."""
    pieces = wrap(line, width, indent=indent)
    if len(pieces) <= most:
        return pieces
    last = clip(pieces[most - 1], width - 2)
    more = () if plain(last).endswith(ELLIPSIS) else ((f" {ELLIPSIS}", last[-1][1] if last else Tone.PLAIN),)
    return [*pieces[: most - 1], (*last, *more)]


def _break(text: str, room: int) -> int:
    """The number of characters of `text` that go into `room` cells, at a word's end when there is one near."""
    cut = len(chop_cells(text[: 4 * room], room)[0])
    space = text.rfind(" ", room // 2, cut + 1)
    return space + 1 if 0 <= space < cut else cut


def _part(line: Line, start: int, end: int | None) -> Line:
    """The characters of a line from `start` up to `end`."""
    spans: list[Span] = []
    for text, tone in line:
        part = text[max(0, start) : None if end is None else max(0, end)]
        if part:
            spans.append((part, tone))
        start -= len(text)
        end = None if end is None else end - len(text)
    return tuple(spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    width: int
    """Cells; the least width when `grow` is set."""
    grow: int = 0
    """Share of the width that is left over."""
    keep: int = 0
    """Columns with the highest number go first when the width does not suffice."""
    prose: bool = False
    """Whether a text that does not fit loses whole words."""


def column_widths(columns: Sequence[Column], width: int) -> tuple[int, ...]:
    """The width of each column in a table of `width` cells with one cell between columns; 0 for one left out."""
    shown = list(range(len(columns)))

    def needed() -> int:
        return sum(columns[index].width for index in shown) + max(0, len(shown) - 1)

    while len(shown) > 1 and needed() > width:
        shown.remove(max(shown, key=lambda index: (columns[index].keep, index)))
    left = max(0, width - needed())
    shares = sum(columns[index].grow for index in shown)
    widths = [columns[index].width if index in shown else 0 for index in range(len(columns))]
    for index in shown:
        if shares and columns[index].grow:
            extra = left * columns[index].grow // shares
            widths[index] += extra
            left -= extra
            shares -= columns[index].grow
    return tuple(widths)


def table_line(widths: Sequence[int], cells: Sequence[Span], prose: Sequence[bool] = ()) -> Line:
    """One row of a table; what is `prose` is cut between words."""
    spans: list[Span] = []
    for index, (width, (text, tone)) in enumerate(zip(widths, cells, strict=True)):
        if not width:
            continue
        if spans:
            spans.append((" ", Tone.PLAIN))
        cut = fit_words if index < len(prose) and prose[index] else fit
        spans.append((cut(text, width), tone))
    return tuple(spans)


def header_line(widths: Sequence[int], columns: Sequence[Column]) -> Line:
    """The titles of a table's columns."""
    return table_line(widths, [(column.title, Tone.TITLE) for column in columns])
