"""The fleet's repository: a bare mirror of the remote that only pvenix writes, and pushes by compare and swap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pvenix.adapters.git import comparing, objects
from pvenix.adapters.git.mirror import Mirror
from pvenix.adapters.git.names import branch_ref, full_ref
from pvenix.adapters.git.notes import notes_ref, tree_with_note
from pvenix.adapters.git.remote import Pushed
from pvenix.adapters.git.runner import Git, environment
from pvenix.model.errors import Refused, RemoteFailure
from pvenix.model.names import CommitId

_TRIES: Final = 12
"""Eight writers at once needed nine tries in the worst of 80 pushes."""
_PAUSE_S: Final = 0.15


class GitRepo(Mirror):
    """The Repo over git: what is written is made in the mirror and pushed by compare and swap."""

    async def commit(
        self, branch: str, base: str, files: Mapping[str, str | None], *, message: str, author: str = ""
    ) -> CommitId:
        """Commit `files` on top of `base` and push it to `branch`; see the port.

        Raises: RemoteFailure with code PVX0701 when the branch moved, Refused when the remote forbids it.
        """
        ref, parent = branch_ref(branch), await self._commit(base)
        tree = await objects.write_tree(self._git, parent, files)
        new = parent
        if tree != await self._tree(parent):
            who = objects.Identity.parse(author) if author else self._author
            new = await objects.commit_tree(
                self._git, tree, [parent], message=message, author=who, committer=self._author
            )
        for fresh in (False, True):
            if fresh:
                await self.fetch()
            present = await self._remote.at(ref)
            if present is not None and await self._tree(present) == tree:
                return CommitId(present)
            if present not in (None, parent):
                continue
            if await self._remote.push(ref, new, present) is Pushed.DONE:
                return CommitId(new)
        raise RemoteFailure(
            f"branch {branch} was changed by somebody else", hint="look at it and repeat", code="PVX0701"
        )

    async def merge(self, commit: CommitId, *, into: str, message: str) -> CommitId:
        """Merge exactly `commit` into `into`, forward if possible, and push by compare and swap; returns the new tip.

        Raises: RemoteFailure with code PVX0701 when `into` moved too often, PVX0702 on a conflict; Refused.
        """
        ref = branch_ref(into)
        await self.fetch()
        for attempt in range(_TRIES):
            ours = await self._commit(ref)
            if await self.contains(ours, commit):
                return CommitId(ours)
            new = commit if await self.contains(commit, ours) else await self._merged(ours, commit, into, message)
            if await self._remote.push(ref, new, ours) is Pushed.DONE:
                return CommitId(new)
            await self._lost_race(attempt)
        raise RemoteFailure(f"{into} moved {_TRIES} times while merging", hint="repeat in a moment", code="PVX0701")

    async def _merged(self, ours: str, theirs: str, into: str, message: str) -> str:
        tree, conflicts = await objects.merge_trees(self._git, ours, await self._commit(theirs))
        if tree is None:
            hint = f"merge {into} into the branch, resolve, and have it reviewed again"
            raise does_not_merge(theirs, into, conflicts, hint=hint)
        return await objects.commit_tree(
            self._git, tree, [ours, theirs], message=message, author=self._author, committer=self._author
        )

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
        """Merge `other` into `branch` with `files` as they are given, and push it; see the port."""
        ref, ours, theirs = branch_ref(branch), await self._commit(tip), await self._commit(other)
        tree, found = await comparing.clashes(self._git, ours, theirs)
        left = [clash.path for clash in found if clash.path not in files]
        if left:
            raise does_not_merge(theirs, branch, left, hint=f"pvenix review conflicts {branch}")
        new = await objects.commit_tree(
            self._git,
            await objects.write_tree(self._git, tree, files),
            [ours, theirs],
            message=message,
            author=objects.Identity.parse(author) if author else self._author,
            committer=self._author,
        )
        if await self._remote.push(ref, new, ours) is Pushed.DONE:
            return CommitId(new)
        await self.fetch()
        raise RemoteFailure(
            f"branch {branch} was changed by somebody else", hint="look at it and repeat", code="PVX0701"
        )

    async def revert(self, commit: CommitId, *, onto: str, message: str, since: CommitId | None = None) -> CommitId:
        """A new commit on top of `onto` that takes back what `commit` changed, or all since `since`; see the port."""
        undone, ours = await self._commit(commit), await self._commit(onto)
        before = await self._commit(since) if since else None
        tree = await objects.reverted(self._git, ours, undone, before, who=self._author)
        return CommitId(
            await objects.commit_tree(
                self._git, tree, [ours], message=message, author=self._author, committer=self._author
            )
        )

    async def push_ref(self, ref: str, commit: CommitId | None, *, expect: CommitId | None) -> None:
        """Set or delete (`commit` None) one remote ref if it still is at `expect`; done already is fine.

        Raises: RemoteFailure with code PVX0701 when it is elsewhere, Refused for what is no fast-forward.
        """
        name = full_ref(ref)
        await self._ready()
        if commit and expect and not await self.contains(commit, expect):
            raise Refused(
                f"{name} would lose commits", why=f"{commit[:12]} does not contain {expect[:12]}", code="PVX0713"
            )
        if await self._remote.push(name, commit, expect) is Pushed.DONE:
            return
        await self.fetch()
        if await self._remote.at(name) != commit:
            raise RemoteFailure(f"{name} was changed by somebody else", hint="look at it and repeat", code="PVX0701")

    async def add_note(self, namespace: str, commit: CommitId, text: str) -> None:
        """Append `text` to the commit's note and push it.

        Raises: RemoteFailure with code PVX0701 when others write all the time, Refused.
        """
        ref, subject = notes_ref(namespace), f"Note on {await self._commit(commit)}"
        for attempt in range(_TRIES):
            tip = await self._remote.at(ref)
            tree = await tree_with_note(self._git, tip, commit, text)
            new = await objects.commit_tree(
                self._git, tree, [tip] if tip else [], message=subject, author=self._author, committer=self._author
            )
            if await self._remote.push(ref, new, tip) is Pushed.DONE:
                return
            await self._lost_race(attempt)
        raise RemoteFailure(f"{ref} moved {_TRIES} times", hint="repeat in a moment", code="PVX0701")

    async def publish(self, source: Path, commit: CommitId, *, expect: CommitId | None) -> None:
        """Push `commit`, the tip of the main branch of a repository on this machine, if the remote's still is `expect`.

        `commit` must contain `expect`. Raises: RemoteFailure with code PVX0701 when it moved, Refused.
        """
        ref = branch_ref(self._branch)
        near = Git(self._git.directory, environment(protocol="file", ssh="false", home=self._cache))
        await near.ask("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", str(source), ref)
        if await self._remote.push(ref, commit, expect) is not Pushed.DONE:
            raise RemoteFailure(f"{self._branch} was changed by somebody else", hint="repeat", code="PVX0701")

    async def _tree(self, commit: str) -> str:
        return (await self._git.ask("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")).text

    async def _lost_race(self, attempt: int) -> None:
        await asyncio.sleep(_PAUSE_S * (attempt + 1) * random.random())
        await self.fetch()


def does_not_merge(commit: str, into: str, conflicts: Sequence[str], *, hint: str) -> RemoteFailure:
    """That two sides changed the same lines of these files."""
    return RemoteFailure(
        f"{commit[:12]} does not merge into {into}",
        why=f"conflicts in {', '.join(conflicts[:6])}",
        hint=hint,
        evidence=tuple(conflicts),
        code="PVX0702",
    )
