"""How the entries of the journal show in a list."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from pvenix_tui.models.journal import Entry
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.states import epoch, status_span

COLUMNS: Final = (
    Column(title="TIME", width=11),
    Column(title="WHO", width=8, keep=2),
    Column(title="ACTION", width=14),
    Column(title="TARGET", width=16, grow=2),
    Column(title="RESULT", width=16),
    Column(title="UNDO", width=15, keep=1),
    Column(title="RUN", width=20, keep=3),
)
_DAY_S: Final = 86400


def when(at: str, now: float) -> str:
    """A moment in the width of a column: today's to the second, older ones with their day."""
    moment = epoch(at)
    if moment is None:
        return at[:11]
    same = time.localtime(moment)[:3] == time.localtime(now)[:3]
    form = "%H:%M:%S" if same else "%m-%d %H:%M" if now - moment < 300 * _DAY_S else "%Y-%m-%d"
    return time.strftime(form, time.localtime(moment))


def entry_cells(entry: Entry, now: float) -> Sequence[Span]:
    """One row."""
    outcome, count, total = entry.result
    result, tone = status_span(outcome)
    undo = entry.undo
    return (
        (when(entry.at, now), Tone.DIM),
        (entry.who, Tone.PLAIN),
        (entry.action, Tone.STRONG),
        (entry.target, Tone.PLAIN),
        (result + (f" {count}/{total}" if total > 1 and count < total else ""), tone),
        (undo, Tone.DIM if undo == "-" else Tone.ACCENT),
        (entry.run_id, Tone.DIM),
    )


def head_line(shown: int, all_of_them: int, filtered: str, wrong: str, older: str) -> Line:
    """What the list holds, and what is wrong with the filter."""
    entries = "1 entry" if all_of_them == 1 else f"{all_of_them} entries"
    spans: list[Span] = [(f" {shown} of {entries}" if filtered else f" {entries}", Tone.STRONG)]
    if older:
        spans += text_line(f"  {older}; pvenix audit has them all", Tone.DIM)
    if filtered:
        spans += [("  filter ", Tone.DIM), *text_line(filtered, Tone.ACCENT)]
    if wrong:
        spans += text_line(f"  {wrong}", Tone.WARN)
    return tuple(spans)


def preview_lines(entry: Entry | None, *, read: bool, filtered: bool) -> tuple[Line, Line]:
    """What the narrow list has no room for; why it is empty when it is."""
    if entry is None:
        done = (
            " the filter lets nothing through; esc takes it back"
            if filtered
            else " nothing was done from this machine yet"
        )
        return text_line(done if read else " reading the log", Tone.DIM), ()
    verbs = ", ".join(entry.verbs)
    who = f" by {entry.who or 'nobody known'}" + (f"  run {entry.run_id}" if entry.run_id else "")
    return (*text_line(who, Tone.PLAIN), *text_line(f"  {verbs}", Tone.DIM)), (
        (" undo ", Tone.TITLE),
        *text_line("nothing takes it back; z says why" if entry.undo == "-" else f"{entry.undo}  (z)", Tone.ACCENT),
    )
