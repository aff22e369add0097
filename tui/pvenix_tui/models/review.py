"""A registration branch as lines: checks first, then every file, with what a reviewer has seen."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.model.review import Review, Verdict
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line, wrap
from pvenix_tui.models.states import status_span, verdict_span


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """Where a file stands in the document, in lines from 0."""

    path: str
    start: int
    end: int
    """The line after its last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDocument:
    """A review laid out for a width."""

    lines: tuple[Line, ...]
    files: tuple[FilePlace, ...]

    def next_file(self, top: int, *, backwards: bool = False) -> int | None:
        """The first line of the next or previous file seen from line `top`."""
        starts = [place.start for place in self.files]
        if backwards:
            return max((start for start in starts if start < top), default=None)
        return min((start for start in starts if start > top), default=None)


class SeenFiles:
    """The files whose every line was on the screen; approval waits for all of them."""

    def __init__(self, review: Review) -> None:
        self._paths = {file.path for file in review.files}
        self._lines: dict[str, set[int]] = {path: set() for path in self._paths}
        self._done: set[str] = set()

    def show(self, document: ReviewDocument, top: int, height: int) -> None:
        """Lines `top` to `top + height` are on the screen; lines count from the file's own start."""
        for place in document.files:
            first, last = max(top, place.start), min(top + height, place.end)
            seen = self._lines.setdefault(place.path, set())
            seen.update(range(first - place.start, last - place.start))
            if len(seen) >= place.end - place.start:
                self._done.add(place.path)

    def relayout(self) -> None:
        """The width changed: lines of half-seen files have other numbers now and start over."""
        self._lines = {path: set() for path in self._paths}

    @property
    def count(self) -> int:
        """Files seen."""
        return len(self._done)

    @property
    def missing(self) -> tuple[str, ...]:
        """Paths not seen to their end."""
        return tuple(sorted(self._paths - self._done))


def approval_reason(review: Review | None, seen: SeenFiles | None) -> str:
    """Why the review cannot be approved now, empty when it can."""
    if review is None or seen is None:
        return "no review is open"
    if review.state != "open":
        return f"this commit is {review.state} already"
    failed = [check.name for check in review.checks if check.verdict is Verdict.FAIL]
    if failed:
        return f"a check failed: {failed[0]}"
    if seen.missing:
        return f"not read yet: {seen.missing[0]} (scroll through it)"
    return ""


def review_document(review: Review, width: int) -> ReviewDocument:
    """The review's checks, comments and files in lines of at most `width` cells, wrapped so that nothing is hidden."""
    lines: list[Line] = [
        (("commit  ", Tone.TITLE), *text_line(review.commit, Tone.STRONG)),
        (("base    ", Tone.TITLE), *text_line(f"main at {review.base[:12]}")),
        (("author  ", Tone.TITLE), *text_line(f"{review.author}, {review.at}")),
        (("subject ", Tone.TITLE), *text_line(review.subject)),
        (("state   ", Tone.TITLE), status_span(review.state)),
        *((("comment ", Tone.TITLE), *text_line(comment)) for comment in review.comments),
        EMPTY,
        (("Checks", Tone.TITLE),),
    ]
    for check in review.checks:
        row: Line = (("  ", Tone.PLAIN), verdict_span(check.verdict), *text_line(f"  {check.name}"))
        lines += wrap((*row, *text_line(f"  {check.detail}", Tone.DIM)) if check.detail else row, width, indent=9)
    if not review.checks:
        lines.append(text_line("  none ran", Tone.WARN))
    places: list[FilePlace] = []
    for file in review.files:
        lines.append(EMPTY)
        start = len(lines)
        lines.append(
            (
                (f"{file.kind:<9} ", Tone.ACCENT),
                *text_line(file.path, Tone.TITLE),
                (f"  +{file.added} -{file.removed}", Tone.DIM),
            )
        )
        for text in file.unified.split("\n"):
            if not text.startswith(("--- ", "+++ ")):
                lines += wrap(text_line(text, _diff_tone(text)), width, indent=2)
        places.append(FilePlace(path=file.path, start=start, end=len(lines)))
    return ReviewDocument(lines=tuple(lines), files=tuple(places))


def _diff_tone(text: str) -> Tone:
    if text.startswith("@@"):
        return Tone.HUNK
    return Tone.OK if text.startswith("+") else Tone.BAD if text.startswith("-") else Tone.PLAIN
