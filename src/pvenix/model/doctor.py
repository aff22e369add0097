"""What an examination of a site found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pvenix.model.errors import ExitCode
from pvenix.model.privileges import Level


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    PROBLEM = "problem"
    SKIPPED = "skipped"
    """It could not be looked at, because of an earlier problem or because there is nothing to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    found: str
    advice: tuple[str, ...] = ()
    """What to do, a line each."""
    code: ExitCode = ExitCode.OK
    """The exit code that a problem counts as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """An endpoint as it showed itself before anything was sent to it."""

    endpoint: str
    problem: str = ""
    """Why it did not answer; the other fields are empty then."""
    fingerprint: str = ""
    """SHA-256 of the certificate, upper case, colons."""
    subject: str = ""
    expires_at: str = ""
    """UTC, ISO 8601."""
    days_left: int = 0
    distrust: str = ""
    """Why the certificate does not prove whose it is; empty when it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A privilege that the login does not have."""

    path: str
    privilege: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An examination of a site."""

    cluster: str
    level: Level
    version: str
    """Of Proxmox, empty when it could not be asked."""
    checks: tuple[Check, ...]
    missing: tuple[Lacking, ...] = ()
    pveum: tuple[str, ...] = ()
    """Lines to paste on a node; empty when nothing is missing."""

    @property
    def ok(self) -> bool:
        """True when there is no problem."""
        return all(check.verdict is not Verdict.PROBLEM for check in self.checks)
