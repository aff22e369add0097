"""The audit log from its end: a page at a time, so that the newest lines of a log of any length are there at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pvenix.engine.audit import AuditLog, record_in
from pvenix.model.errors import LocalResource

PAGE: Final = 1 << 19
"""Bytes of a page; a line that begins in it is whole in it, however long it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some lines that follow each other."""

    records: tuple[dict[str, Any], ...]
    """Newest first."""
    at: int
    """The byte at which they begin: the next older page ends there. 0 when there is none."""
    end: int
    """The byte behind them: what is written later comes there."""


def page(log: AuditLog, before: int | None = None, *, size: int = PAGE) -> Page:
    """The lines that end at byte `before`, or at the end of the log; a line that was not finished is left out.

    Raises: LocalResource when the log is there and cannot be read.
    """
    try:
        with log.path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size if before is None else before
            start, text = end, b""
            while start and text.count(b"\n") < 2:
                start = max(0, start - size)
                file.seek(start)
                text = file.read(end - start)
    except FileNotFoundError:
        return Page(records=(), at=0, end=0)
    except OSError as error:
        raise LocalResource("the audit log cannot be read", why=str(error)) from error
    skipped = text.find(b"\n") + 1 if start else 0
    whole = text[skipped : text.rfind(b"\n") + 1]
    records = tuple(record for line in reversed(whole.splitlines()) if (record := record_in(line)))
    return Page(records=records, at=start + skipped, end=start + skipped + len(whole))


def since(log: AuditLog, end: int) -> Page:
    """The lines that were written since a page ended at `end`.

    Raises: LocalResource when the log is there and cannot be read.
    """
    try:
        with log.path.open("rb") as file:
            file.seek(end)
            text = file.read()
    except FileNotFoundError:
        return Page(records=(), at=end, end=end)
    except OSError as error:
        raise LocalResource("the audit log cannot be read", why=str(error)) from error
    whole = text[: text.rfind(b"\n") + 1]
    records = tuple(record for line in reversed(whole.splitlines()) if (record := record_in(line)))
    return Page(records=records, at=end, end=end + len(whole))


def pages(log: AuditLog) -> Iterator[Page]:
    """Every page, newest first.

    Raises: LocalResource when the log is there and cannot be read.
    """
    found = page(log)
    yield found
    while found.at:
        found = page(log, found.at)
        yield found
