"""The fleet's Git repository: history and registration branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pvenix.engine.ports import Commit
    from pvenix.model.review import Review


class RepositoryPart(Protocol):
    """What is merged, and what waits for it."""

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        """The newest commits of the main branch, newest first."""

    async def reviews(self) -> tuple[Review, ...]:
        """The open registration branches, without files and checks."""

    async def review(self, host: str) -> Review:
        """One registration branch with files and checks."""

    async def approve(self, host: str, commit: str, comment: str = "") -> None:
        """Approve exactly this commit."""

    async def reject(self, host: str, commit: str, comment: str) -> None:
        """Reject exactly this commit."""

    async def merge(self, host: str, commit: str) -> str:
        """Merge exactly this approved commit; the new tip of the main branch."""
