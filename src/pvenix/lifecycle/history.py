"""Commits of the main branch with what they changed, and whom that concerns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pvenix.engine.ports import Commit
from pvenix.lifecycle.checks import file_diff
from pvenix.lifecycle.revert import touched_by
from pvenix.lifecycle.world import World
from pvenix.model.names import commit_id
from pvenix.model.review import FileDiff


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPage:
    """A commit with its files."""

    commit: Commit
    files: tuple[FileDiff, ...]
    hosts: tuple[str, ...]
    """The hosts whose systems it may have changed."""


async def page(world: World, commit: str) -> CommitPage:
    """What a commit changed against its first parent.

    Raises: UsageError for what is no commit id, RemoteFailure for one that the repository does not have.
    """
    [found] = await world.repo.log(commit_id(commit), limit=1)
    changes = await world.repo.changes(found.id)
    return CommitPage(
        commit=found,
        files=tuple(file_diff("", change) for change in changes),
        hosts=touched_by(world.fleet.select("all"), [change.path for change in changes]),
    )


async def concerned(world: World, commits: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The hosts whose systems each commit may have changed, as far as the inventory has them today."""
    hosts = world.fleet.select("all")
    paths = await world.repo.touched([commit_id(commit) for commit in commits])
    return {commit: touched_by(hosts, found) for commit, found in paths.items()}
