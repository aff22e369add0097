"""A registration branch under review."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check found."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    """A person must look; approval is possible."""
    FAIL = "fail"
    """Approval is not possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a branch."""

    name: str
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """One file of a branch, with invisible characters made visible in `unified`."""

    path: str
    kind: str
    """`host`, `hardware`, `inventory`, `trust` or `other`."""
    added: int
    removed: int
    unified: str
    """The unified diff of this file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A registration branch as a reviewer sees it, pinned to one commit."""

    host: str
    branch: str
    commit: str
    base: str
    """The main branch's tip it was compared with."""
    author: str
    at: str
    subject: str
    files: tuple[FileDiff, ...]
    checks: tuple[Check, ...]
    state: str
    """`open`, `approved`, `rejected` or `merged`; approval and rejection name this very commit."""
    comments: tuple[str, ...] = ()

    @property
    def approvable(self) -> bool:
        """True when no check failed and the review is still open."""
        return self.state == "open" and not any(check.verdict is Verdict.FAIL for check in self.checks)
