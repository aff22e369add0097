"""Comments on a branch under review: notes on its commits (`refs/notes/review-comments`), so that everybody sees them.

A note holds a line of JSON for each thing said, in the order in which it was pushed. Notes are pushed by compare and swap
and only ever appended to, so two people who comment at once lose nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Final

from pvenix.lifecycle.world import World
from pvenix.model.errors import UsageError
from pvenix.model.names import CommitId
from pvenix.model.review import Message, Review, Thread

NOTES: Final = "review-comments"
_LONGEST: Final = 8000
"""Characters of one comment."""


class Does(StrEnum):
    """What a line of a note does to a thread."""

    COMMENT = "comment"
    """Begins one."""
    REPLY = "reply"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A line of a note."""

    does: Does
    thread: str
    branch: str
    by: str
    at: str
    text: str = ""
    file: str = ""
    line: int = 0
    quote: str = ""

    def written(self) -> str:
        """As it stands in the note."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}, ensure_ascii=False)


def _entries(note: str) -> Iterator[_Entry]:
    """What a note says; a line that is not ours says nothing."""
    for line in note.splitlines():
        try:
            values = json.loads(line)
            texts = {name: value for name, value in values.items() if name not in ("does", "line")}
            entry = _Entry(**texts, does=Does(values["does"]), line=int(values.get("line", 0)))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            continue
        if all(isinstance(value, str) for value in texts.values()):
            yield entry


async def relevant(world: World, notes: Mapping[CommitId, str], branch: str, main: str) -> Mapping[CommitId, str]:
    """Those of the notes that speak of a branch; what was merged under the same name before is another story."""
    about = {commit: note for commit, note in notes.items() if any(each.branch == branch for each in _entries(note))}
    return {commit: note for commit, note in about.items() if not await world.repo.contains(main, commit)}


def threads_of(notes: Mapping[CommitId, str], branch: str, texts: Mapping[str, str]) -> tuple[Thread, ...]:
    """The threads of a branch whose changed files are `texts`, as they stand now: by file and line, oldest first."""
    found: dict[str, Thread] = {}
    for commit, note in notes.items():
        for entry in _entries(note):
            if entry.branch == branch:
                _take(found, commit, entry, texts)
    return tuple(sorted(found.values(), key=lambda each: (each.file, each.line, each.messages[0].at)))


def _take(found: dict[str, Thread], commit: CommitId, entry: _Entry, texts: Mapping[str, str]) -> None:
    said = Message(by=entry.by, at=entry.at, text=entry.text)
    thread = found.get(entry.thread)
    if entry.does is Does.COMMENT:
        line = _line_now(texts.get(entry.file, ""), entry)
        found[entry.thread] = Thread(
            id=entry.thread, commit=commit, file=entry.file, line=line, quote=entry.quote, messages=(said,)
        )
    elif thread is not None:
        match entry.does:
            case Does.REPLY:
                found[entry.thread] = replace(thread, messages=(*thread.messages, said))
            case Does.RESOLVE:
                found[entry.thread] = replace(thread, resolved_by=entry.by)
            case Does.REOPEN:
                found[entry.thread] = replace(thread, resolved_by="")


def _line_now(text: str, entry: _Entry) -> int:
    """Where the line is now that was commented on: in its place, else the nearest of the same text, else nowhere (0)."""
    places = [number for number, line in enumerate(text.splitlines(), 1) if line == entry.quote]
    return min(places, key=lambda number: abs(number - entry.line), default=0) if entry.line else 0


async def comment(world: World, review: Review, *, text: str, by: str, file: str = "", line: int = 0) -> Thread:
    """Say something about a branch's tip: about a line of a file that it changes, the file, or the whole.

    Raises: UsageError for an empty text, or a place that the branch does not have.
    """
    quote = await _quoted(world, review, file, line)
    at = world.clock.utc()
    name = hashlib.sha256(f"{review.commit} {by} {at} {file} {line} {text}".encode()).hexdigest()[:8]
    entry = _Entry(
        does=Does.COMMENT, thread=name, branch=review.branch, by=by, at=at, text=_checked(text), file=file, line=line,
        quote=quote,
    )  # fmt: skip
    await world.repo.add_note(NOTES, CommitId(review.commit), entry.written())
    said = Message(by=by, at=at, text=text)
    return Thread(id=name, commit=review.commit, file=file, line=line, quote=quote, messages=(said,))


async def _quoted(world: World, review: Review, file: str, line: int) -> str:
    if not file:
        return ""
    paths = [each.path for each in review.files]
    if file not in paths:
        raise UsageError(f"{review.branch} does not change {file[:120]}", hint=f"it changes {', '.join(paths[:6])}")
    lines = (await world.repo.read(review.commit, file) or "").splitlines()
    if not 0 <= line <= len(lines):
        raise UsageError(f"{file} has no line {line}", why=f"{review.branch} has {len(lines)} of it")
    return lines[line - 1] if line else ""


async def go_on(world: World, review: Review, thread: str, does: Does, *, by: str, text: str = "") -> None:
    """Reply to a thread, resolve it, or open it again; done already is fine.

    Raises: UsageError for a thread that is not there, or an empty reply.
    """
    found = next((each for each in review.threads if each.id == thread), None)
    if found is None:
        known = ", ".join(each.id for each in review.threads)
        raise UsageError(
            f"{review.branch} has no comment {thread[:40]!r}",
            hint=f"it has {known}" if known else f"pvenix review comment {review.name} COMMIT TEXT",
        )
    if does is not Does.REPLY and bool(found.resolved_by) == (does is Does.RESOLVE):
        return
    entry = _Entry(
        does=does, thread=thread, branch=review.branch, by=by, at=world.clock.utc(),
        text=_checked(text) if does is Does.REPLY else text,
    )  # fmt: skip
    await world.repo.add_note(NOTES, CommitId(found.commit), entry.written())


def _checked(text: str) -> str:
    """A comment as it is kept. Raises: UsageError."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        raise UsageError("a comment is empty" if not text else f"a comment of {len(text)} characters is too long")
    return text
