"""Proves an audit log: every line as it was written, none missing, none from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.engine.audit import FIRST, AuditLog, Mark, record_in, seal_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a line."""

    line: int
    """Its place in the file, from 1; one more than the file has for what is missing at the end."""
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a look at the whole log found."""

    lines: int
    end: str
    """The hash of the last line, to be kept elsewhere."""
    problems: tuple[Problem, ...]


def verify(log: AuditLog) -> Verdict:
    """The state of the whole log.

    Raises: LocalResource when it cannot be read.
    """
    acknowledged = log.end()
    problems: list[Problem] = []
    before, number, seen = Mark(), 0, False
    for number, raw in enumerate(log.raw(), start=1):
        if not raw.endswith(b"\n"):
            problems.append(
                Problem(line=number, what="is cut short: a killed process may leave that, and the next run mends it")
            )
            number -= 1  # noqa: PLW2901 - it is no line
            break
        found, mark = _judge(number, raw[:-1], before)
        problems += found
        seen = seen or acknowledged == mark
        before = mark
    problems += _at_the_end(number, before, acknowledged, seen=seen)
    return Verdict(lines=number, end=before.hash, problems=tuple(problems))


def _judge(number: int, line: bytes, before: Mark) -> tuple[list[Problem], Mark]:
    """What is wrong with a line behind `before`, and its own place in the chain."""
    seal = seal_of(line)
    if not seal:
        # The next line tells what this one's hash was, and is judged against the number that this one must have had.
        return [Problem(line=number, what="was changed: its hash does not fit")], Mark(n=before.n + 1, hash="")
    record = record_in(line)
    own = Mark(n=int(record["n"]), hash=seal)
    if own.n > before.n + 1:
        gone = own.n - before.n - 1
        return [
            Problem(line=number, what=f"follows a gap: {_count(gone)} before it {'is' if gone == 1 else 'are'} missing")
        ], own
    if own.n != before.n + 1 or (before.hash and record["prev"] != before.hash):
        return [
            Problem(line=number, what="does not follow the line before it: one of them is not where it was written")
        ], own
    return [], own


def _at_the_end(number: int, last: Mark, acknowledged: Mark | None, *, seen: bool) -> list[Problem]:
    if acknowledged is None:
        return [Problem(line=number, what="is the last, and nothing says how many there were")] if number else []
    if acknowledged.n > last.n:
        return [Problem(line=number + 1, what=f"is missing: {_count(acknowledged.n - last.n)} cut off at the end")]
    if not seen and last.hash != FIRST and last.hash:
        return [Problem(line=number, what=f"ends a log whose line {acknowledged.n} is not the one that was written")]
    return []


def _count(lines: int) -> str:
    return f"{lines} line{'' if lines == 1 else 's'}"
