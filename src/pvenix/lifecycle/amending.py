"""Change a branch under review: an edit by a person, main brought into it, a conflict resolved; and what that changed.

Every change is a new commit on top of the one that was looked at, pushed only while the branch is still there. So nothing
of anybody is lost, and an approval of the older commit does not cover it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pvenix.engine.ports import Clash, FileChange
from pvenix.lifecycle import review as reviews
from pvenix.lifecycle.checks import file_diff
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId, commit_id
from pvenix.model.review import Conflict, FileDiff, Review, Side

_MARKER: Final = re.compile(r"^(<<<<<<< |>>>>>>> )", re.MULTILINE)


async def text_of(world: World, name: str, commit: str, path: str) -> str:
    """A file of the branch as it is at `commit`, its tip.

    Raises: UsageError when it is not there, RemoteFailure when the branch is elsewhere.
    """
    review = await reviews.at(world, name, commit)
    text = await world.repo.read(review.commit, path)
    if text is None:
        changed = ", ".join(file.path for file in review.files[:6])
        raise UsageError(f"{review.branch} has no file {path[:120]}", hint=f"it changes {changed}")
    return text


async def edited(world: World, name: str, commit: str, path: str, text: str) -> FileDiff:
    """What an edit of a file would change on the branch; nothing is pushed.

    Raises: as `text_of`.
    """
    before = await text_of(world, name, commit, path)
    return file_diff("", FileChange(path=path, old=before, new=text))


async def edit(world: World, name: str, commit: str, path: str, text: str, *, message: str, author: str) -> CommitId:
    """Commit a file as a person left it on top of `commit`, and push it; returns the branch's tip.

    Raises: RemoteFailure when the branch is elsewhere, Refused.
    """
    review = await reviews.at(world, name, commit)
    words = message.strip() or f"Edit {path} in review"
    return await world.repo.commit(review.branch, review.commit, {path: text}, message=words, author=author)


async def freshen(world: World, name: str, commit: str, *, author: str) -> CommitId:
    """Bring main into the branch, which keeps its commits; returns the branch's tip.

    Raises: RemoteFailure when the branch is elsewhere, or with code PVX0702 when they do not merge.
    """
    return await _joined(world, await reviews.at(world, name, commit), {}, author)


async def resolve(world: World, name: str, commit: str, files: Mapping[str, str | None], *, author: str) -> CommitId:
    """Bring main into the branch with the files in conflict as a person left them (None deletes); returns its tip.

    Raises: UsageError while a conflict's marker is in one of them, else as `freshen`.
    """
    left = [path for path, text in files.items() if _MARKER.search(text or "")]
    if left:
        raise UsageError(
            f"conflict markers are left in {', '.join(left[:6])}", hint="choose one side, and remove the markers"
        )
    return await _joined(world, await reviews.at(world, name, commit), files, author)


async def _joined(world: World, review: Review, files: Mapping[str, str | None], author: str) -> CommitId:
    message = f"Merge {world.branch} into {review.branch}\n"
    return await world.repo.resolve(
        review.branch, commit_id(review.commit), commit_id(review.base), files, message=message, author=author
    )


async def conflicts(world: World, name: str) -> tuple[Conflict, ...]:
    """Why the branch does not merge into main, file by file; none when it merges."""
    main = await world.repo.fetch()
    branch = reviews.branch_of(name)
    tip = await world.repo.tip(branch)
    if tip is None:
        raise UsageError(f"there is no branch {branch}", hint="pvenix review list")
    found = await world.repo.clashes(tip, main)
    return tuple([
        Conflict(
            path=clash.path,
            why=_why(clash),
            marked=_named(clash.marked, {tip: branch, main: world.branch}),
            main=await _side(world, main, clash.path),
            branch=await _side(world, tip, clash.path),
        )
        for clash in found
    ])  # fmt: skip


def _why(clash: Clash) -> str:
    if clash.ours is None:
        return "the branch deleted it, and main changed it"
    if clash.theirs is None:
        return "main deleted it, and the branch changed it"
    return "both added it, not with the same content" if clash.base is None else "both changed the same lines"


def _named(marked: str, names: Mapping[str, str]) -> str:
    """The markers with the names of the branches in place of their commits."""
    for commit, name in names.items():
        marked = marked.replace(f"<<<<<<< {commit}", f"<<<<<<< {name}").replace(f">>>>>>> {commit}", f">>>>>>> {name}")
    return marked


async def _side(world: World, rev: CommitId, path: str) -> Side:
    last = await world.repo.log(rev, limit=1, path=path)
    return Side(commit=last[0].id, author=last[0].author, at=last[0].at, subject=last[0].subject) if last else Side()


async def since(world: World, name: str, seen: str) -> tuple[FileDiff, ...]:
    """What of the branch is not as it was at `seen`: the difference of the two differences to main.

    Raises: RemoteFailure when the repository has not got that commit any more.
    """
    main = await world.repo.fetch()
    tip = await world.repo.tip(reviews.branch_of(name))
    if tip is None:
        raise RemoteFailure(f"the branch {reviews.branch_of(name)} is gone", hint="pvenix review list", code="PVX0748")
    before = {change.path: change for change in await world.repo.diff(main, seen)}
    after = {change.path: change for change in await world.repo.diff(main, tip)}
    found = [
        _between(before[path], after.get(path)) if path in before else after[path] for path in sorted({*before, *after})
    ]
    return tuple(file_diff("", change) for change in found if change.old != change.new or change.binary)


def _between(before: FileChange, after: FileChange | None) -> FileChange:
    """What became of one file from one state of the branch to another; None where it is as on main again."""
    if after is None:
        return replace(before, old=before.new, new=before.old)
    binary = (before.binary or after.binary) and before != after
    return replace(after, old=before.new, binary=binary)
