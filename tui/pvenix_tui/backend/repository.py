"""The fleet's Git repository: its history, and the branches that wait for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from pvenix.engine.ports import Commit
from pvenix.model.review import Conflict, FileDiff, Review, Thread


class CommitLike(Protocol):
    """A commit with its files: a `pvenix.lifecycle.history.CommitPage`."""

    @property
    def commit(self) -> Commit:
        """The commit."""

    @property
    def files(self) -> tuple[FileDiff, ...]:
        """What it changed against its first parent."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts whose systems it may have changed."""


class HistoryPart(Protocol):
    """What is merged."""

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        """The newest commits of the main branch, newest first."""

    async def commit(self, commit: str) -> CommitLike:
        """A commit with its files."""

    async def commit_hosts(self, commits: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The hosts that each commit may concern."""


class ReviewingPart(Protocol):
    """What people do to a branch beside deciding on it."""

    async def comment(self, name: str, commit: str, text: str, *, file: str = "", line: int = 0) -> Thread:
        """Say something about a branch's tip."""

    async def reply(self, name: str, thread: str, text: str) -> None:
        """Answer a comment."""

    async def resolve_thread(self, name: str, thread: str, *, resolved: bool = True) -> None:
        """Say that a comment is settled, or that it is not."""

    async def review_text(self, name: str, commit: str, path: str) -> str:
        """A file as the branch has it."""

    async def review_edited(self, name: str, commit: str, path: str, text: str) -> FileDiff:
        """What an edit would change; nothing is pushed."""

    async def edit_review(self, name: str, commit: str, path: str, text: str, message: str = "") -> str:
        """Commit an edited file; the branch's tip."""

    async def review_conflicts(self, name: str) -> tuple[Conflict, ...]:
        """Why the branch does not merge into main."""

    async def review_since(self, name: str, seen: str) -> tuple[FileDiff, ...]:
        """What of the branch is not as it was at the commit `seen`."""

    async def freshen_review(self, name: str, commit: str) -> str:
        """Bring main into the branch; its tip."""

    async def resolve_review(self, name: str, commit: str, files: Mapping[str, str | None]) -> str:
        """Bring main into the branch with the files in conflict as given (None deletes); its tip."""


class RepositoryPart(HistoryPart, ReviewingPart, Protocol):
    """What is merged, and what waits for it. A review is called by its host, or by its branch."""

    async def reviews(self) -> tuple[Review, ...]:
        """The branches that are not merged, without files, checks and comments."""

    def review_details(self, names: Sequence[str]) -> AsyncIterator[Review]:
        """These reviews with all of that, as they are read."""

    async def review(self, host: str) -> Review:
        """One review with all of that."""

    async def approve(self, host: str, commit: str, comment: str = "", *, acknowledged: Sequence[str] = ()) -> None:
        """Approve exactly this commit; what was acknowledged is kept with it."""

    async def reject(self, host: str, commit: str, comment: str) -> None:
        """Reject exactly this commit."""

    async def merge(self, host: str, commit: str) -> str:
        """Merge exactly this approved commit; the new tip of the main branch."""
