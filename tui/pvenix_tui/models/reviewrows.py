"""What a review's list and its comments look like: a row for each file, warning, check and thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pvenix.model.ages import decided_words
from pvenix.model.review import FileDiff, Review, Thread, Verdict
from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.diff import Remark
from pvenix_tui.models.lines import Line, Tone, cells, clip, text_line, wrap
from pvenix_tui.models.review import Caution, ReviewModel
from pvenix_tui.models.states import age, verdict_span


class EntryKind(StrEnum):
    """What a row of the list beside the difference is about."""

    HEADING = "heading"
    CHECK = "check"
    WARNING = "warning"
    FILE = "file"
    THREAD = "thread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of that list; what it is about is `name`."""

    kind: EntryKind
    name: str
    line: Line
    short: Line = ()
    """The same for a list that has no room for it, when there is a shorter way to say it."""

    @property
    def key(self) -> str:
        """What identifies it."""
        return f"{self.kind}:{self.name}"


class EntryList:
    """The source of the list beside the difference."""

    def __init__(self, entries: Callable[[], Sequence[Entry]]) -> None:
        self._entries = entries
        self.rows: Sequence[Entry] = ()
        self._width = 0

    def layout(self, width: int) -> Line | None:
        """Make the rows anew."""
        self.rows = self._entries()
        self._width = width
        return None

    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def line(self, index: int) -> Line:
        """A row."""
        entry = self.rows[index]
        fits = cells(entry.line) <= self._width or not entry.short
        return clip(entry.line if fits else entry.short, self._width)

    def key(self, index: int) -> str:
        """What it is about."""
        return self.rows[index].key


def note_entry(text: str) -> Entry:
    """The only row while there is nothing else to show."""
    return Entry(kind=EntryKind.HEADING, name="note", line=text_line(text, Tone.WARN))


def entries(model: ReviewModel, now: float) -> list[Entry]:
    """Checks, what is to be acknowledged, files and comments, each under its heading."""
    review = model.review
    if review is None:
        return []
    if review.state == "merged":
        return [heading("merged", f"main contains {review.commit[:10]}: nothing is left to decide here")]
    found = [heading("files", f"Files  seen {model.seen_count}/{len(review.files)}")]
    found += [_file(file, "x" if model.seen(file) else " ") for file in review.files]
    if model.warnings:
        found.append(heading("warnings", "To acknowledge"))
        found += [_warning(model, warning) for warning in model.warnings]
    found.append(heading("checks", f"Checks  {chips(review)}"))
    found += [
        Entry(
            kind=EntryKind.CHECK,
            name=check.name,
            line=(verdict_span(check.verdict), *text_line(f" {check.name}"), *text_line(f"  {check.detail}", Tone.DIM)),
        )
        for check in review.checks
    ]
    if review.threads:
        found.append(heading("threads", f"Comments  {len(review.unresolved)} open of {len(review.threads)}"))
        found += [_thread(thread, now) for thread in review.threads]
    return [*found, heading("about", "About"), *_about(review, now)]


def _about(review: Review, now: float) -> list[Entry]:
    """Who proposes what, against which main, and what was decided before."""
    told = [
        ("author", f"{review.author}, {age(review.at, now)} ago"),
        ("subject", review.subject),
        ("commit", f"{review.commit[:12]}, {review.ahead} ahead of main"),
        ("base", f"main at {review.base[:12]}, {review.behind} behind"),
        *(("decided", decided_words(comment, lambda at: f", {age(at, now)} ago")) for comment in review.comments),
    ]
    return [
        Entry(kind=EntryKind.CHECK, name=f"about {at}", line=((f"{name:<8} ", Tone.DIM), *text_line(text)))
        for at, (name, text) in enumerate(told)
    ]


def chips(review: Review) -> str:
    """How the checks ended: `8+ 1!`."""
    counts = {
        glyph: sum(1 for check in review.checks if check.verdict is verdict) for verdict, glyph in _GLYPHS.items()
    }
    return " ".join(f"{count}{glyph}" for glyph, count in counts.items() if count) or "none ran"


_GLYPHS = {Verdict.PASS: "+", Verdict.WARN: "!", Verdict.FAIL: "x"}


def heading(name: str, text: str) -> Entry:
    """What the rows below it are."""
    return Entry(kind=EntryKind.HEADING, name=name, line=text_line(text, Tone.TITLE))


def _file(file: FileDiff, mark: str) -> Entry:
    box: Line = ((f"[{mark}] ", Tone.OK if mark.strip() else Tone.WARN),)
    whole = file_entry(file)
    return replace(whole, line=(*box, *whole.line), short=(*box, *whole.short))


def file_entry(file: FileDiff) -> Entry:
    """A file's row where nothing is marked."""
    size = text_line(f"  +{file.added} -{file.removed}", Tone.DIM)
    short = f"{ELLIPSIS}/{file.path.rpartition('/')[2]}"
    return Entry(
        kind=EntryKind.FILE, name=file.path, line=(*text_line(file.path), *size), short=(*text_line(short), *size)
    )


def _warning(model: ReviewModel, warning: Caution) -> Entry:
    known = model.acknowledged(warning)
    line = (("[a] " if known else "[ ] ", Tone.OK if known else Tone.WARN), *text_line(warning.text))
    return Entry(kind=EntryKind.WARNING, name=warning.id, line=line)


def _thread(thread: Thread, now: float) -> Entry:
    last = thread.messages[-1]
    state: Line = (("+ ", Tone.OK),) if thread.resolved_by else (("! ", Tone.WARN),)
    where = thread.place.rpartition("/")[2] + (" (gone)" if thread.quote and not thread.line else "")
    line = (*state, *text_line(f"{where}  ", Tone.ACCENT), *text_line(f"{last.by} {age(last.at, now)}: {last.text}"))
    return Entry(kind=EntryKind.THREAD, name=thread.id, line=line)


def thread_lines(thread: Thread, now: float) -> tuple[Line, ...]:
    """A comment with its replies."""
    lines = [
        (
            *text_line(f"{'re: ' if at else ''}{said.by} {age(said.at, now)}: ", Tone.WARN),
            *text_line(said.text),
        )
        for at, said in enumerate(thread.messages)
    ]
    if thread.resolved_by:
        lines.append(text_line(f"resolved by {thread.resolved_by}", Tone.OK))
    return tuple(lines)


def remarks(review: Review, path: str, now: float) -> dict[int, list[Remark]]:
    """The comments on a file by the line that they stand below."""
    found: dict[int, list[Remark]] = {}
    for thread in review.threads:
        if thread.file == path and thread.line:
            found.setdefault(thread.line, []).append(Remark(id=thread.id, lines=thread_lines(thread, now)))
    return found


def note(review: Review, entry: Entry | None, width: int, now: float) -> list[Line]:
    """What the list's row at the cursor has no room for."""
    if entry is None:
        return []
    if entry.kind is EntryKind.THREAD:
        thread = next(each for each in review.threads if each.id == entry.name)
        quote = [text_line(f"> {thread.quote}", Tone.DIM)] if thread.quote else []
        lines = [text_line(thread.place, Tone.ACCENT), *quote, *thread_lines(thread, now)]
        return [piece for line in lines for piece in wrap(line, width, indent=2)]
    return wrap(entry.line, width, indent=2)
