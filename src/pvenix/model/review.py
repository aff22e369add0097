"""A branch under review: what it changes, what checks say, what people said of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pvenix.model.names import is_host_name


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


class Kind(StrEnum):
    """What a branch is for, which its name says: `registration/dns02`, `retire/dns02`, `template/nixos`."""

    REGISTRATION = "registration"
    RETIRE = "retire"
    DRIFT = "drift"
    TEMPLATE = "template"
    REVERT = "revert"
    EDITS = "edits"
    """What somebody edited on a host."""
    TOPIC = "topic"
    """Any other branch."""


def kind_of(branch: str) -> Kind:
    """What a branch is for."""
    family = branch.partition("/")[0]
    return Kind(family) if "/" in branch and family in set(Kind) else Kind.TOPIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody said."""

    by: str
    at: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A comment on a branch with its replies."""

    id: str
    commit: str
    """The commit that it was written about."""
    file: str
    """Empty when it is about the whole."""
    line: int
    """1-based, in the file as the branch has it now; 0 for the whole file, and when its line is there no more."""
    quote: str
    """The line as it was when the comment was written."""
    messages: tuple[Message, ...]
    resolved_by: str = ""
    """Empty while it is open."""

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        if not self.file:
            return "the whole branch"
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a conflict: the last commit of that side that changed the file; empty where none did."""

    commit: str = ""
    author: str = ""
    at: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A file that the branch and the main branch both changed, in ways that do not go together."""

    path: str
    why: str
    """In words: both changed the same lines, one deleted it, both added it."""
    marked: str
    """The file with git's conflict markers, as far as it could be merged."""
    main: Side
    branch: Side


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
    """A branch as a reviewer sees it, pinned to one commit."""

    host: str
    """The host that it is about, empty when it is about none."""
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
    """Approvals and rejections, a line each."""
    ahead: int = 1
    """Commits that main does not have."""
    behind: int = 0
    """Commits of main that the branch does not have."""
    mergeable: bool = True
    """False when it and main changed the same lines."""
    threads: tuple[Thread, ...] = ()

    @property
    def kind(self) -> Kind:
        """What the branch is for."""
        return kind_of(self.branch)

    @property
    def name(self) -> str:
        """What commands call it: the host of a registration, of every other one the branch."""
        if self.kind is Kind.REGISTRATION and is_host_name(self.host):
            return self.host
        return self.branch if "/" in self.branch else f"refs/heads/{self.branch}"

    @property
    def unresolved(self) -> tuple[Thread, ...]:
        """Comments that nobody has resolved."""
        return tuple(thread for thread in self.threads if not thread.resolved_by)

    @property
    def approvable(self) -> bool:
        """True when no check failed, it merges into main, and the review is still open."""
        failed = any(check.verdict is Verdict.FAIL for check in self.checks)
        return self.state == "open" and self.mergeable and not failed
