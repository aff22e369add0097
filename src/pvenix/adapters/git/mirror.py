"""A bare mirror of the fleet's repository, and what is read from it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pvenix.adapters.git import comparing, objects
from pvenix.adapters.git.listing import Listing
from pvenix.adapters.git.names import branch_ref, file_path, is_id, revision
from pvenix.adapters.git.notes import notes_ref, read_notes
from pvenix.adapters.git.pin import HostPin
from pvenix.adapters.git.reading import Reader
from pvenix.adapters.git.remote import Remote
from pvenix.adapters.git.runner import Git, environment, ssh_command, transport_of
from pvenix.engine.ports import Branch, Clash, Commit, FileChange
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId


class Mirror:
    """The reading half of the Repo over git. `author` is `Name <address>`, who commits what is written."""

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
