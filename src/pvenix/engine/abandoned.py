"""The mark of a run that was given up for good: who did it, and what it had left open."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pvenix.model.ages import moment_words
from pvenix.model.errors import LocalResource, UsageError

MARK: Final = "abandoned.json"
"""The file in a run's directory."""
_SCHEMA: Final = "pvenix/abandoned/v1"
ABANDONED: Final = "PVX0811"
"""A run that was given up is asked to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """How a run was given up."""

    at: str
    """UTC, ISO 8601."""
    by: str
    seen: bool
    """False until everything that it had begun was looked at."""
    left: tuple[str, ...] = ()
    """What is still open, a line each."""

    @property
    def open(self) -> bool:
        """True while something of it may still go on, or was not looked at."""
        return not self.seen or bool(self.left)


def abandoned(run: Path) -> Abandoned | None:
    """The mark in a run's directory, None when it has none.

    Raises: LocalResource when it cannot be read.
    """
    try:
        words: dict[str, Any] = json.loads((run / MARK).read_text())
        return Abandoned(at=words["at"], by=words["by"], seen=words["seen"], left=tuple(words["left"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalResource(f"{run / MARK} cannot be read", why=str(error)) from error


def mark_abandoned(run: Path, words: Abandoned) -> None:
    """Mark a run's directory; the mark is on disk when this returns, whole or not at all.

    Raises: LocalResource when the disk does not take it.
    """
    temporary = run / f".{MARK}"
    try:
        with temporary.open("w") as file:
            json.dump({"schema": _SCHEMA, **asdict(words)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(run / MARK)
    except OSError as error:
        raise LocalResource("the run cannot be marked as abandoned", why=str(error)) from error


def refuse_abandoned(run: Path) -> None:
    """Return unless the run was given up.

    Raises: UsageError saying when and by whom.
    """
    mark = abandoned(run)
    if mark is not None:
        left = "; ".join(mark.left) or "not all that it began was looked at"
        raise UsageError(
            f"run {run.name} was abandoned by {mark.by} at {moment_words(mark.at)}",
            why=f"it is not gone on with; {f'still open when last looked at: {left}' if mark.open else 'its hosts are free'}",
            hint=f"pvenix abandon {run.name}    looks again"
            if mark.open
            else f"pvenix resume {run.name} --retry-failed    makes a new run of it",
            code=ABANDONED,
        )
