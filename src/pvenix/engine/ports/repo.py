"""The port to the fleet's repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pvenix.model.names import CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit as listings show it."""

    id: CommitId
    author: str
    at: str
    """UTC, ISO 8601."""
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of the remote against the main branch."""

    name: str
    tip: Commit
    ahead: int
    behind: int
    paths: tuple[str, ...]
    """Paths that differ between the merge base and the tip."""
    mergeable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file of a diff; `old` or `new` is None where the file does not exist."""

    path: str
    old: str | None
    new: str | None
    mode: str = "100644"
    """Of the new side: `100644`, `100755`, `120000` (symlink), `160000` (submodule)."""
    binary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A file that two commits changed in ways that do not go together; a side is None where it has no such file."""

    path: str
    base: str | None
    """As both had it before."""
    ours: str | None
    theirs: str | None
    marked: str
    """As far as it merges, with conflict markers of Git; where one side deleted it, what the other has."""


class Repo(Protocol):
    """The fleet's repository: a mirror of the remote that pvenix owns."""

    async def fetch(self) -> CommitId:
        """Bring the mirror up to date; returns the tip of the main branch.

        Raises: Unreachable, Refused.
        """
        ...

    async def main(self) -> CommitId:
        """The tip of the main branch as last fetched; fetches when there is no mirror yet."""
        ...

    async def branches(self, prefix: str = "") -> tuple[Branch, ...]:
        """Branches of the remote whose names start with `prefix`, as last fetched."""
        ...

    async def tip(self, branch: str) -> CommitId | None:
        """The commit of a branch as last fetched, None when there is no such branch."""
        ...

    async def log(self, rev: str, *, limit: int = 50, path: str = "") -> tuple[Commit, ...]:
        """Commits up to `rev`, newest first; with `path` only those that touch it."""
        ...

    async def read(self, rev: str, path: str) -> str | None:
        """The file's text at `rev`, None when it is not there."""
        ...

    async def files(self, rev: str, path: str = "") -> tuple[str, ...]:
        """Paths of the files below `path` at `rev`."""
        ...

    async def diff(self, base: str, rev: str) -> tuple[FileChange, ...]:
        """What `rev` changes against the merge base of `base` and `rev`."""
        ...

    async def changes(self, commit: str) -> tuple[FileChange, ...]:
        """What a commit changed against its first parent; the first commit of all against nothing."""
        ...

    async def touched(self, commits: Sequence[CommitId]) -> Mapping[CommitId, tuple[str, ...]]:
        """The paths that each commit changed against its first parent."""
        ...

    async def clashes(self, ours: str, theirs: str) -> tuple[Clash, ...]:
        """The files that keep two commits from being merged; none when they merge."""
        ...

    async def contains(self, descendant: str, ancestor: str) -> bool:
        """True when `ancestor` is `descendant` or one of its ancestors."""
        ...

    async def commit(
        self, branch: str, base: str, files: Mapping[str, str | None], *, message: str, author: str = ""
    ) -> CommitId:
        """Commit `files` (None deletes) on top of `base` and push it to `branch`; returns the pushed commit.

        Pushes only when the remote branch is still at `base`'s tip or does not exist (compare and swap); a branch
        that already has exactly this content is left alone and its tip returned.
        Raises: RemoteFailure with code PVX0701 when the branch moved, Refused when the remote forbids it.
        """
        ...

    async def merge(self, commit: CommitId, *, into: str, message: str) -> CommitId:
        """Merge exactly `commit` into `into` and push by compare and swap; returns the new tip.

        Raises: RemoteFailure with code PVX0701 when `into` moved too often, PVX0702 on a conflict; Refused.
        """
        ...

    async def resolve(
        self,
        branch: str,
        tip: CommitId,
        other: CommitId,
        files: Mapping[str, str | None],
        *,
        message: str,
        author: str = "",
    ) -> CommitId:
        """Merge `other` into `branch` with `files` as they are given (None deletes), and push it; returns the new tip.

        Pushes only when the remote branch is still at `tip`.
        Raises: RemoteFailure with code PVX0701 when the branch moved, PVX0702 when a file that does not merge is not
        among `files`; Refused.
        """
        ...

    async def revert(self, commit: CommitId, *, onto: str, message: str, since: CommitId | None = None) -> CommitId:
        """A new commit on top of `onto` that takes back what `commit` changed, or all since `since`; nothing is pushed.

        As git revert does it: what was changed elsewhere since stays, and a merge is taken back against its first parent.
        Raises: RemoteFailure with code PVX0717 on a conflict, PVX0706 for the first commit of all, PVX0707 when nothing
        of it is left.
        """
        ...

    async def push_ref(self, ref: str, commit: CommitId | None, *, expect: CommitId | None) -> None:
        """Set or delete (`commit` None) one remote ref if it still is at `expect`."""
        ...

    async def notes(self, namespace: str) -> Mapping[CommitId, str]:
        """Notes of `refs/notes/<namespace>` by commit."""
        ...

    async def add_note(self, namespace: str, commit: CommitId, text: str) -> None:
        """Append `text` to the commit's note and push it."""
        ...

    async def bundle(self, commit: CommitId, *, have: CommitId | None) -> bytes:
        """A bundle with the main branch at `commit`, without what `have` already has."""
        ...

    async def close(self) -> None:
        """End the processes that reads keep open."""
        ...
