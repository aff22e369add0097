"""The fleet's repository: a bare mirror of the remote that only pvenix writes, and pushes by compare and swap."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pvenix.adapters.git import comparing, objects
from pvenix.adapters.git.listing import Listing
from pvenix.adapters.git.names import branch_ref, file_path, full_ref, is_id, revision
from pvenix.adapters.git.notes import notes_ref, read_notes, tree_with_note
from pvenix.adapters.git.pin import HostPin
from pvenix.adapters.git.reading import Reader
from pvenix.adapters.git.remote import Pushed, Remote
from pvenix.adapters.git.runner import Git, environment, ssh_command, transport_of
from pvenix.engine.ports import Branch, Clash, Commit, FileChange
from pvenix.model.errors import Refused, RemoteFailure
from pvenix.model.names import CommitId

_TRIES: Final = 12
"""Eight writers at once needed nine tries in the worst of 80 pushes."""
_PAUSE_S: Final = 0.15


class GitRepo:
    """The Repo over git. `author` is `Name <address>`, the committer of everything written here."""

    def __init__(
        self, *, url: str, branch: str, cache_dir: Path, author: str, key_file: Path | None = None, host_key: str = ""
    ) -> None:
        protocol = transport_of(url)
        self._cache = cache_dir
        self._branch = branch
        self._author = objects.Identity.parse(author)
        name = hashlib.sha256(url.encode()).hexdigest()[:16]
        pin = HostPin(cache_dir / f"{name}.known_hosts", host_key)
        env = environment(protocol=protocol, ssh=ssh_command(key_file, pin.path), home=cache_dir)
        self._git = Git(cache_dir / f"{name}.git", env)
        self._remote = Remote(self._git, url, branch, pin=pin if protocol == "ssh" else None)
        self._reader = Reader(self._git.directory, env)
        self._listing = Listing(self._git)
        self._random = random.Random()
        branch_ref(branch)

    async def close(self) -> None:
        """End the processes that reads keep open."""
        await asyncio.to_thread(self._reader.close)

    # --- the mirror ---

    @property
    def mirror(self) -> Path:
        """The mirror's directory, for other repositories on this machine to fetch from."""
        return self._git.directory

    async def fetch(self) -> CommitId:
        """Bring the mirror up to date; returns the tip of the main branch.

        Raises: Unreachable, Refused, RemoteFailure when there is no repository or no main branch, LocalResource.
        """
        await self._remote.fetch()
        return await self._main_tip()

    async def fetch_any(self) -> CommitId | None:
        """As `fetch`, but a repository without a main branch is no error: None."""
        await self._remote.fetch()
        tip = await self._remote.at(branch_ref(self._branch))
        return CommitId(tip) if tip else None

    async def main(self) -> CommitId:
        """The tip of the main branch as last fetched; fetches when there is no mirror yet."""
        return await self._main_tip() if await self._present() else await self.fetch()

    async def _main_tip(self) -> CommitId:
        tip = await self._remote.at(branch_ref(self._branch))
        if tip is None:
            raise RemoteFailure(
                f"the repository has no branch {self._branch}",
                hint="push the fleet to it, or set repository.branch in inventory/site.yaml",
                code="PVX0710",
            )
        return CommitId(tip)

    async def _present(self) -> bool:
        return (self._git.directory / "HEAD").exists() and await self._remote.at(branch_ref(self._branch)) is not None

    async def _ready(self) -> None:
        if not await self._present():
            await self.fetch()

    # --- reads ---

    async def branches(self, prefix: str = "") -> tuple[Branch, ...]:
        """Branches of the remote whose names start with `prefix`, without the main one, as last fetched."""
        await self._ready()
        return await self._listing.branches(self._branch, prefix)

    async def tip(self, branch: str) -> CommitId | None:
        """The commit of a branch as last fetched, None when there is no such branch."""
        await self._ready()
        found = await self._remote.at(branch_ref(branch))
        return CommitId(found) if found else None

    async def log(self, rev: str, *, limit: int = 50, path: str = "") -> tuple[Commit, ...]:
        """Commits up to `rev`, newest first; with `path` only those that touch it."""
        return await self._reader.log(await self._commit(rev), limit, file_path(path) if path else "")

    async def read(self, rev: str, path: str) -> str | None:
        """The file's text at `rev`, None when there is no regular file."""
        return await self._reader.text(await self._commit(rev), file_path(path))

    async def files(self, rev: str, path: str = "") -> tuple[str, ...]:
        """Paths of the files below `path` at `rev`."""
        below = ["--", f"{file_path(path.rstrip('/'))}/"] if path else []
        done = await self._git.ask("ls-tree", "-r", "-z", "--name-only", "--full-tree", await self._commit(rev), *below)
        return tuple(name for name in done.text.split("\0") if name)

    async def diff(self, base: str, rev: str) -> tuple[FileChange, ...]:
        """What `rev` changes against the merge base of `base` and `rev`; all of it when there is none."""
        ours, theirs = await self._commit(base), await self._commit(rev)
        done = await self._git.ask("merge-base", ours, theirs, accept=(0, 1))
        old = done.text.split("\n")[0] or (await self._git.ask("mktree")).text
        return await objects.changes(self._git, old, theirs)

    async def contains(self, descendant: str, ancestor: str) -> bool:
        """True when `ancestor` is `descendant` or one of its ancestors; False for commits that are not known here."""
        await self._ready()
        done = await self._git.ask(
            "merge-base", "--is-ancestor", revision(ancestor), revision(descendant), accept=(0, 1, 128)
        )
        return done.status == 0

    async def changes(self, commit: str) -> tuple[FileChange, ...]:
        """What a commit changed against its first parent; see the port."""
        return await comparing.changes_of(self._git, await self._commit(commit))

    async def touched(self, commits: Sequence[CommitId]) -> Mapping[CommitId, tuple[str, ...]]:
        """The paths that each commit changed against its first parent."""
        await self._ready()
        return await comparing.touched(self._git, commits)

    async def clashes(self, ours: str, theirs: str) -> tuple[Clash, ...]:
        """The files that keep two commits from being merged; none when they merge."""
        return (await comparing.clashes(self._git, await self._commit(ours), await self._commit(theirs)))[1]

    async def notes(self, namespace: str) -> Mapping[CommitId, str]:
        """Notes of `refs/notes/<namespace>` by commit, as last fetched."""
        await self._ready()
        return await read_notes(self._git, await self._remote.at(notes_ref(namespace)))

    async def bundle(self, commit: CommitId, *, have: CommitId | None) -> bytes:
        """A bundle with the main branch at `commit`, without what `have` already has."""
        new = await self._commit(commit)
        known = have if have and await self._known(have) else None
        return await objects.bundle(self._git, new, branch_ref(self._branch), known)

    async def _commit(self, rev: str) -> str:
        """The id of the commit that `rev` names.

        Raises: RemoteFailure when the mirror does not have it.
        """
        await self._ready()
        found = await self._remote.at(f"{revision(rev)}^{{commit}}")
        if found is None:
            raise RemoteFailure(
                f"the repository has no commit {rev[:120]}", hint="it may not be pushed yet", code="PVX0716"
            )
        return found

    async def _known(self, commit: str) -> bool:
        return is_id(commit) and await self._remote.at(f"{commit}^{{commit}}") is not None

    # --- writes ---

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
            raise does_not_merge(theirs, into, conflicts)
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
            raise does_not_merge(theirs, branch, left)
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

    async def revert(self, commit: CommitId, *, onto: str, message: str) -> CommitId:
        """A new commit on top of `onto` that takes back what `commit` changed; see the port."""
        undone, ours = await self._commit(commit), await self._commit(onto)
        tree = await objects.reverted(self._git, ours, undone, who=self._author)
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
        await asyncio.sleep(_PAUSE_S * (attempt + 1) * self._random.random())
        await self.fetch()


def does_not_merge(commit: str, into: str, conflicts: Sequence[str]) -> RemoteFailure:
    """That two sides changed the same lines of these files."""
    return RemoteFailure(
        f"{commit[:12]} does not merge into {into}",
        why=f"conflicts in {', '.join(conflicts[:6])}",
        hint=f"merge {into} into the branch, resolve, and have it reviewed again",
        evidence=tuple(conflicts),
        code="PVX0702",
    )
