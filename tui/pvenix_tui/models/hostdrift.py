"""What was edited on a host, file by file, as lines; where files and hunks stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.adapters.text import CUT_MARK, LINE_LIMIT
from pvenix.model.drift import DriftFile, HostDrift
from pvenix_tui.models.lines import EMPTY, Line, Span, Tone, text_line, wrap

_LINES: Final = 2000
"""The most lines of one difference that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things stand in a document, in lines from 0."""

    files: tuple[tuple[int, str], ...] = ()
    """First line and path of each file."""
    hunks: tuple[int, ...] = ()

    def file_at(self, line: int) -> str:
        """The path of the file that line `line` belongs to, the first one above all of them; empty without files."""
        above = [path for start, path in self.files if start <= line]
        return above[-1] if above else self.files[0][1] if self.files else ""

    def next_file(self, line: int, *, backwards: bool) -> int | None:
        """The first line of the next or previous file."""
        return beside(tuple(start for start, _ in self.files), line, backwards=backwards)


def beside(starts: Sequence[int], line: int, *, backwards: bool) -> int | None:
    """The nearest of `starts` before or behind `line`."""
    if backwards:
        return max((start for start in starts if start < line), default=None)
    return min((start for start in starts if start > line), default=None)


def drift_document(found: HostDrift, width: int) -> tuple[list[Line], Places]:
    """The document, and where its files and hunks stand."""
    lines: list[Line] = []
    for text in found.other:
        lines += wrap(text_line(f"! {text}", Tone.WARN), width, indent=2)
    if found.base != found.expected and found.expected:
        where = f"/etc/nixos is at {found.base[:10]}, main at {found.expected[:10]}: edits are shown against {found.base[:10]}"
        lines += wrap(text_line(where, Tone.DIM), width)
    files: list[tuple[int, str]] = []
    hunks: list[int] = []
    for file in found.files:
        lines += [EMPTY] if lines else []
        files.append((len(lines), file.path))
        lines += wrap(_heading(file), width, indent=2)
        _add_unified(lines, hunks, file.unified, width)
    if found.more:
        lines += [EMPTY, text_line(f"and {found.more} more edited files, which are not read", Tone.WARN)]
    if found.hardware is not None:
        _add_hardware(lines, hunks, found, width)
    if not lines:
        lines = [text_line(f"no edits: /etc/nixos is as {found.checkout[:10]} has it", Tone.OK)]
    return lines, Places(files=tuple(files), hunks=tuple(hunks))


def _heading(file: DriftFile) -> Line:
    spans: list[Span] = [*text_line(file.path, Tone.TITLE), (f"  {file.edit.value}", Tone.ACCENT)]
    spans.append((f"  +{file.added} -{file.removed}", Tone.DIM))
    if file.ignored:
        spans += text_line(f"  ignored by {file.ignored}", Tone.DIM)
    elif file.merged:
        spans.append(("  main has this text: r brings the host there", Tone.OK))
    elif file.stays:
        spans += text_line(f"  cannot be adopted: {file.stays}", Tone.WARN)
    elif file.shared:
        spans.append(("  shared with other hosts", Tone.WARN))
    return tuple(spans)


def _add_hardware(lines: list[Line], hunks: list[int], found: HostDrift, width: int) -> None:
    look = found.hardware
    if look is None or not (look.diff or look.problem):
        return
    lines += [EMPTY, text_line("hardware, as its generator writes it now", Tone.TITLE)]
    lines += wrap(text_line(f"! {look.problem}", Tone.WARN), width, indent=2) if look.problem else []
    _add_unified(lines, hunks, look.diff, width)


def _add_unified(lines: list[Line], hunks: list[int], unified: str, width: int) -> None:
    pieces, starts = diff_lines(unified, width)
    hunks += [len(lines) + start for start in starts]
    lines += pieces


def diff_lines(unified: str, width: int) -> tuple[list[Line], list[int]]:
    """A unified difference as lines, and where its hunks begin."""
    lines: list[Line] = []
    hunks: list[int] = []
    texts = unified.splitlines()
    if texts[:1] and texts[0].startswith("--- "):
        del texts[:2]  # the file's name
    for text in texts[:_LINES]:
        if text.startswith("@@"):
            hunks.append(len(lines))
        shown = text if len(text) <= LINE_LIMIT else f"{text[:LINE_LIMIT]}{CUT_MARK}"
        lines += wrap(text_line(shown, _tone(text)), width, indent=2)
    if len(texts) > _LINES:
        lines.append(text_line(f"{len(texts) - _LINES} more lines of it are not shown", Tone.WARN))
    return lines, hunks


def _tone(text: str) -> Tone:
    if text.startswith("@@"):
        return Tone.HUNK
    return Tone.OK if text.startswith("+") else Tone.BAD if text.startswith("-") else Tone.PLAIN


class DriftLines:
    """`drift_document` for a tab: remembers where the files and hunks of the last layout stand."""

    def __init__(self) -> None:
        self.places = Places()

    def __call__(self, found: HostDrift, width: int) -> list[Line]:
        """The lines of the document."""
        lines, self.places = drift_document(found, width)
        return lines


def adopt_reason(found: HostDrift | None, *, reading: Callable[[], bool] = lambda: False) -> str:
    """Why nothing can be adopted, empty when something can."""
    if found is None:
        return "the edits are being read" if reading() else "the edits are not read: ctrl+r reads them"
    hardware = found.hardware is not None and bool(found.hardware.diff)
    if not found.files and not hardware:
        return "nobody edited anything there"
    if not found.adoptable and not hardware:
        return "none of the edits can be adopted"
    merged = all(file.merged for file in found.adoptable) and not hardware
    return "main has these texts already: r brings the host there" if merged else ""


def overwrite_reason(found: HostDrift | None) -> str:
    """Why there is nothing to overwrite, empty when there is."""
    if found is None:
        return "the edits are not read: ctrl+r reads them"
    return "" if found.counted or found.more or found.other else "nobody edited anything there"
