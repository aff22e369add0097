"""What a risky change waits for: what was shown to a person, and what that person decided about exactly that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pvenix.model.ages import moment_words


class Verdict(StrEnum):
    """What a person decided."""

    APPROVED = "approved"
    REJECTED = "rejected"
    NOW = "now"
    """To go on although it is not the time for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A change that waits for a person, as it was shown."""

    host: str
    step: str
    subject: str
    """The exact thing: a system's store path, or the boot that is to end."""
    commit: str
    """What the system was built from, empty when that is not known or does not matter."""
    risks: tuple[str, ...]
    """Why a person is asked, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided; of `NOW` only who, when, comment and host (empty for all) say something."""

    verdict: Verdict
    by: str
    at: str
    """UTC, ISO 8601."""
    comment: str = ""
    host: str = ""
    step: str = ""
    subject: str = ""
    commit: str = ""
    risks: tuple[str, ...] = ()

    def covers(self, asked: Asked) -> bool:
        """True when this was decided about exactly `asked`: the same thing, and no risk that was not shown."""
        same = (self.host, self.step, self.subject) == (asked.host, asked.step, asked.subject)
        return same and set(asked.risks) <= set(self.risks)

    @property
    def shown(self) -> str:
        """Who, when and why in one line."""
        return f"{self.verdict} by {self.by} at {moment_words(self.at)}" + (f": {self.comment}" if self.comment else "")
