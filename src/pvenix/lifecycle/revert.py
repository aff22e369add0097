"""Take a commit of the main branch back: by a branch for a review, or at once by moving main forward to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import Commit, FileChange
from pvenix.lifecycle.checks import file_diff
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId
from pvenix.model.paths import hardware_file, host_file
from pvenix.model.review import FileDiff

PREFIX: Final = "revert/"
_HISTORY: Final = 10_000
"""How many of the newest commits a short id is looked for in."""
_ID: Final = re.compile(r"[0-9a-f]{7,64}")
_ASIDE: Final = ("inventory/", "playbooks/", "docs/")
"""What no host's system is built from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverting:
    """A commit, or all since another one, and the commit that takes it back, which is not pushed yet."""

    commit: Commit
    since: str = ""
    """The commit after which everything is taken back; empty where it is `commit` alone."""
    branch: str
    base: CommitId
    """The main branch's tip that it was made on."""
    tip: CommitId
    """The commit that takes it back."""
    files: tuple[FileDiff, ...]
    hosts: tuple[str, ...]
    """The hosts whose systems it may change."""

    @property
    def revision(self) -> str:
        """What is taken back, as `pvenix revert` is told it."""
        return f"{self.since[:10]}..{self.commit.id[:10]}" if self.since else self.commit.id[:10]


async def prepare(world: World, rev: str) -> Reverting:
    """What taking `rev` back would change: an id or its first seven digits or more, or `A..B` for all since A up to B.

    Raises: UsageError for what is no commit of the main branch, RemoteFailure when later commits stand in the way.
    """
    base = await world.repo.fetch()
    first, dots, last = rev.rpartition("..")
    commit, since = await _named(world, last), await _named(world, first) if dots else None
    if since is not None and not await world.repo.contains(commit.id, since.id):
        raise UsageError(f"{first[:60]} is not before {last[:60]}", hint=f"pvenix revert {last}..{first}")
    what = f"{since.id}..{commit.id}" if since else f"commit {commit.id}"
    message = f'Revert "{commit.subject}"{" and what came with it" if since else ""}\n\nThis reverts {what}.\n'
    tip = await world.repo.revert(commit.id, onto=base, message=message, since=since.id if since else None)
    branch = PREFIX + (f"{since.id[:10]}-" if since else "") + commit.id[:10]
    changes = await world.repo.diff(base, tip)
    there = await world.repo.tip(branch)
    if there and await world.repo.contains(there, base) and await world.repo.diff(base, there) == changes:
        tip = there  # proposed already: what is merged is what was looked at
    return Reverting(
        commit=commit,
        since=since.id if since else "",
        branch=branch,
        base=base,
        tip=tip,
        files=tuple(file_diff("", change) for change in changes),
        hosts=touched(world.fleet.select("all"), changes),
    )


async def _named(world: World, rev: str) -> Commit:
    if not _ID.fullmatch(rev):
        raise UsageError(f"{rev[:60]!r} is no commit", why="7 to 64 small hex digits", hint="git log --oneline")
    found = [each for each in await world.repo.log(world.branch, limit=_HISTORY) if each.id.startswith(rev)]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{world.branch} has {'no' if not found else 'more than one'} commit {rev}",
        hint="git fetch && git log --oneline origin/" + world.branch,
        code="PVX0708",
    )


def touched(hosts: tuple[str, ...], changes: tuple[FileChange, ...]) -> tuple[str, ...]:
    """The hosts that a change may concern: its own files concern one host, any other that systems are built from all."""
    return touched_by(hosts, [change.path for change in changes])


def touched_by(hosts: tuple[str, ...], paths: Iterable[str]) -> tuple[str, ...]:
    """As `touched`, of paths."""
    owner = {path: host for host in hosts for path in (host_file(host), hardware_file(host))}
    paths = [path for path in paths if not path.startswith(_ASIDE)]
    if any(path not in owner for path in paths):
        return hosts
    return tuple(host for host in hosts if host in {owner[path] for path in paths})


async def propose(world: World, found: Reverting) -> CommitId:
    """Push it to its branch for somebody to merge.

    Raises: RemoteFailure when the branch has something else, Refused.
    """
    there = await world.repo.tip(found.branch)
    if there not in (None, found.tip) and not await world.repo.contains(found.base, str(there)):
        raise RemoteFailure(
            f"the branch {found.branch} has something else",
            why=f"it is at {there[:10]}, which is not merged",
            hint=f"look at it: git diff {world.branch}...origin/{found.branch}; delete it, and repeat",
            code="PVX0709",
        )
    await world.repo.push_ref(found.branch, found.tip, expect=there)
    return found.tip


async def merge(world: World, found: Reverting) -> CommitId:
    """Move main forward to exactly what was shown, if it still is where it was.

    Raises: RemoteFailure with code PVX0701 when somebody pushed meanwhile, Refused.
    """
    await world.repo.push_ref(world.branch, found.tip, expect=found.base)
    return await world.repo.fetch()
