"""A Repo without git: a remote in memory whose objects have git's own ids and packs, so that its bundles are real.

Passes the same suite as the git adapter; simulations share one `MemoryRemote` between a run and the guests. Like a
mirror, a `MemoryRepo` sees the remote as of its last fetch. Merges are by whole files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from pvenix.adapters.git.names import HEADS, branch_ref, file_path, full_ref, revision
from pvenix.engine.ports import Branch, Clash, Commit, FileChange
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from pvenix.model.names import CommitId
from tests.contract.git_objects import Files, Stored, commit_body, conflicts_of, object_id, pack, tree_objects


class Loss(Enum):
    """When a push is cut."""

    BEFORE = auto()
    """Before the reference is written."""
    AFTER = auto()
    """After it, and before the answer."""


@dataclass
class MemoryRemote:
    """The true repository. `refuse` is its update hook: text to refuse a reference, None to let it pass.

    `loss` cuts the next push. Who pushes looks then, as the git adapter does: so one that was done is done.
    """

    refs: dict[str, CommitId] = field(default_factory=dict)
    commits: dict[CommitId, Stored] = field(default_factory=dict)
    refuse: Callable[[str], str | None] = lambda _ref: None
    reachable: bool = True
    loss: Loss | None = None
    clock: int = 1_750_000_000

    def store(self, files: Files, parents: Iterable[CommitId], author: str, message: str) -> CommitId:
        """A new commit, not yet named by a reference."""
        self.clock += 1
        draft = Stored(
            id=CommitId(""), parents=tuple(parents), files=dict(files), author=author, at=self.clock,
            message=message.strip() + "\n",
        )  # fmt: skip
        new = CommitId(object_id("commit", commit_body(draft)))
        self.commits[new] = Stored(**{**draft.__dict__, "id": new})
        return new

    def push(self, ref: str, new: CommitId | None, expect: CommitId | None) -> bool:
        """Compare and swap; False when the reference is elsewhere.

        Raises: Refused by the hook, Unreachable.
        """
        loss, self.loss = self.loss, None
        if not self.reachable or loss is Loss.BEFORE:
            raise Unreachable("the repository cannot be reached")
        if (said := self.refuse(ref)) is not None:
            raise Refused(f"the repository does not let us change {ref}", why=said, code="PVX0713")
        if self.refs.get(ref) != expect:
            return False
        if new is None:
            self.refs.pop(ref, None)
        else:
            self.refs[ref] = new
        return True

    def ancestors(self, tip: CommitId) -> dict[CommitId, Stored]:
        """`tip` and everything before it, newest first."""
        found, todo = {}, [tip]
        while todo:
            commit = todo.pop()
            if commit not in found and commit in self.commits:
                found[commit] = self.commits[commit]
                todo += self.commits[commit].parents
        return dict(sorted(found.items(), key=lambda item: -item[1].at))


class MemoryRepo:
    """One user's view of a MemoryRemote."""

    def __init__(self, remote: MemoryRemote, *, branch: str = "main", author: str = "Op <op@example.org>") -> None:
        self._remote = remote
        self._branch = branch
        self._author = author
        self._refs: dict[str, CommitId] | None = None

    async def close(self) -> None:
        """Nothing is open."""

    async def fetch(self) -> CommitId:
        if not self._remote.reachable:
            raise Unreachable("the repository cannot be reached")
        self._refs = dict(self._remote.refs)
        return await self.main()

    async def main(self) -> CommitId:
        if self._refs is None:
            return await self.fetch()
        if HEADS + self._branch not in self._refs:
            raise RemoteFailure(f"the repository has no branch {self._branch}", code="PVX0710")
        return self._refs[HEADS + self._branch]

    async def branches(self, prefix: str = "") -> tuple[Branch, ...]:
        main = await self.main()
        names = sorted(ref.removeprefix(HEADS) for ref in self._seen() if ref.startswith(HEADS))
        return tuple(self._listed(name, main) for name in names if name.startswith(prefix) and name != self._branch)

    async def tip(self, branch: str) -> CommitId | None:
        ref = branch_ref(branch)
        await self.main()
        return self._seen().get(ref)

    async def log(self, rev: str, *, limit: int = 50, path: str = "") -> tuple[Commit, ...]:
        path = file_path(path) if path else ""
        found = [
            commit
            for commit in self._remote.ancestors(await self._commit(rev)).values()
            if not path or self._below(commit, path) != self._below_parent(commit, path)
        ]
        return tuple(_shown(commit) for commit in found[:limit])

    async def read(self, rev: str, path: str) -> str | None:
        found = (await self._files(rev)).get(file_path(path))
        return None if found is None else found[1].decode()

    async def files(self, rev: str, path: str = "") -> tuple[str, ...]:
        below = f"{file_path(path.rstrip('/'))}/" if path else ""
        return tuple(sorted(name for name in await self._files(rev) if name.startswith(below)))

    async def diff(self, base: str, rev: str) -> tuple[FileChange, ...]:
        ours, theirs = await self._commit(base), await self._commit(rev)
        shared = self._base(ours, theirs)
        return _changes(self._remote.commits[shared].files if shared else {}, self._remote.commits[theirs].files)

    async def changes(self, commit: str) -> tuple[FileChange, ...]:
        return self._changed(await self._commit(commit))

    async def touched(self, commits: Sequence[CommitId]) -> Mapping[CommitId, tuple[str, ...]]:
        await self.main()
        return {each: tuple(change.path for change in self._changed(each)) for each in commits}

    async def clashes(self, ours: str, theirs: str) -> tuple[Clash, ...]:
        base, mine, other = self._three_of(await self._commit(ours), await self._commit(theirs))

        def text(files: Files, path: str) -> str | None:
            return files[path][1].decode() if path in files else None

        return tuple(
            Clash(
                path=path, base=text(base, path), ours=text(mine, path), theirs=text(other, path),
                marked=f"<<<<<<< {ours}\n{text(mine, path) or ''}=======\n{text(other, path) or ''}>>>>>>> {theirs}\n",
            )
            for path in conflicts_of(base, mine, other)
        )  # fmt: skip

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
        base, mine, theirs = self._three_of(tip, other)
        if left := [path for path in conflicts_of(base, mine, theirs) if path not in files]:
            raise RemoteFailure("does not merge", why=f"conflicts in {', '.join(left)}", code="PVX0702")
        whole = {path: found for path, found in _three(base, mine, theirs).items() if path not in files}
        whole |= {file_path(path): ("100644", text.encode()) for path, text in files.items() if text is not None}
        new = self._remote.store(whole, [tip, other], author or self._author, message)
        if self._push(branch_ref(branch), new, tip):
            return new
        raise RemoteFailure(f"branch {branch} was changed by somebody else", code="PVX0701")

    async def contains(self, descendant: str, ancestor: str) -> bool:
        try:
            return await self._commit(ancestor) in self._remote.ancestors(await self._commit(descendant))
        except RemoteFailure:
            return False

    async def commit(
        self, branch: str, base: str, files: Mapping[str, str | None], *, message: str, author: str = ""
    ) -> CommitId:
        ref, parent = branch_ref(branch), await self._commit(base)
        old = self._remote.commits[parent].files
        whole = {path: found for path, found in old.items() if path not in {file_path(name) for name in files}}
        for path, text in files.items():
            if text is not None:
                whole[path] = (old.get(path, ("100644", b""))[0], text.encode())
        new = parent if whole == old else self._remote.store(whole, [parent], author or self._author, message)
        for fresh in (False, True):
            if fresh:
                await self.fetch()
            present = self._seen().get(ref)
            if present is not None and self._remote.commits[present].files == whole:
                return present
            if present in (None, parent) and self._push(ref, new, present):
                return new
        raise RemoteFailure(f"branch {branch} was changed by somebody else", code="PVX0701")

    async def merge(self, commit: CommitId, *, into: str, message: str) -> CommitId:
        ref = branch_ref(into)
        for _ in range(12):
            await self.fetch()
            ours = await self._commit(ref)
            if await self.contains(ours, commit):
                return ours
            forward = await self.contains(commit, ours)
            new = commit if forward else self._merged(ours, await self._commit(commit), message)
            if self._push(ref, new, ours):
                return new
        raise RemoteFailure(f"{into} moved too often", code="PVX0701")

    async def revert(self, commit: CommitId, *, onto: str, message: str, since: CommitId | None = None) -> CommitId:
        undone, ours = await self._commit(commit), await self._commit(onto)
        commits = self._remote.commits
        if not commits[undone].parents:
            raise RemoteFailure(f"{undone[:12]} is the first commit", code="PVX0706")
        base, back, mine = (commits[each].files for each in (undone, since or commits[undone].parents[0], ours))
        if conflicts := conflicts_of(base, mine, back):
            raise RemoteFailure(
                "cannot be taken back", why=f"conflicts in {', '.join(conflicts)}", evidence=conflicts, code="PVX0717"
            )
        files = _three(base, mine, back)
        if files == mine:
            raise RemoteFailure(f"nothing of {undone[:12]} is left", code="PVX0707")
        return self._remote.store(files, [ours], self._author, message)

    async def push_ref(self, ref: str, commit: CommitId | None, *, expect: CommitId | None) -> None:
        name = full_ref(ref)
        await self.main()
        if commit and expect and not await self.contains(commit, expect):
            raise Refused(f"{name} would lose commits", code="PVX0713")
        if not self._push(name, commit, expect):
            await self.fetch()
            if self._seen().get(name) != commit:
                raise RemoteFailure(f"{name} was changed by somebody else", code="PVX0701")

    async def notes(self, namespace: str) -> Mapping[CommitId, str]:
        await self.main()
        tip = self._seen().get(f"refs/notes/{namespace}")
        return {CommitId(k): v[1].decode() for k, v in self._remote.commits[tip].files.items()} if tip else {}

    async def add_note(self, namespace: str, commit: CommitId, text: str) -> None:
        await self._commit(commit)
        ref = f"refs/notes/{namespace}"
        tip = self._remote.refs.get(ref)
        before = dict(self._remote.commits[tip].files) if tip else {}
        old = before.get(commit, ("100644", b""))[1].decode().rstrip()
        before[commit] = ("100644", f"{old}\n\n{text.strip()}\n".lstrip().encode())
        self._push(ref, self._remote.store(before, [tip] if tip else [], self._author, "Note"), tip)

    async def bundle(self, commit: CommitId, *, have: CommitId | None) -> bytes:
        known = have if have in self._remote.commits else None
        there = self._remote.ancestors(known) if known else {}
        objects: dict[str, tuple[str, bytes]] = {}
        for new in self._remote.ancestors(await self._commit(commit)).values():
            if new.id not in there:
                objects |= tree_objects(new.files) | {new.id: ("commit", commit_body(new))}
        header = ["# v2 git bundle", *([f"-{known} "] if known else []), f"{commit} {HEADS}{self._branch}", "", ""]
        return "\n".join(header).encode() + pack(objects)

    # --- inside ---

    def _seen(self) -> dict[str, CommitId]:
        return self._refs or {}

    async def _commit(self, rev: str) -> CommitId:
        name = revision(rev)
        await self.main()
        found = self._seen().get(name, CommitId(name))
        if found not in self._remote.commits:
            raise RemoteFailure(f"the repository has no commit {rev}", code="PVX0716")
        return found

    async def _files(self, rev: str) -> Files:
        return self._remote.commits[await self._commit(rev)].files

    def _push(self, ref: str, new: CommitId | None, expect: CommitId | None) -> bool:
        if not self._remote.push(ref, new, expect):
            return False
        self._refs = dict(self._seen())
        if new is None:
            self._refs.pop(ref, None)
        else:
            self._refs[ref] = new
        return True

    def _base(self, ours: CommitId, theirs: CommitId) -> CommitId | None:
        mine = self._remote.ancestors(ours)
        return next((commit for commit in self._remote.ancestors(theirs) if commit in mine), None)

    def _three_of(self, ours: CommitId, theirs: CommitId) -> tuple[Files, Files, Files]:
        commits, shared = self._remote.commits, self._base(ours, theirs)
        return commits[shared].files if shared else {}, commits[ours].files, commits[theirs].files

    def _changed(self, commit: CommitId) -> tuple[FileChange, ...]:
        stored = self._remote.commits[commit]
        before = self._remote.commits[stored.parents[0]].files if stored.parents else {}
        return _changes(before, stored.files)

    def _merged(self, ours: CommitId, theirs: CommitId, message: str) -> CommitId:
        commits, shared = self._remote.commits, self._base(ours, theirs)
        base = commits[shared].files if shared else {}
        mine, other = commits[ours].files, commits[theirs].files
        conflicts = conflicts_of(base, mine, other)
        if conflicts:
            raise RemoteFailure(
                f"{theirs[:12]} does not merge", why=f"conflicts in {', '.join(conflicts)}", evidence=conflicts,
                code="PVX0702",
            )  # fmt: skip
        return self._remote.store(_three(base, mine, other), [ours, theirs], self._author, message)

    def _listed(self, name: str, main: CommitId) -> Branch:
        tip = self._seen()[HEADS + name]
        ours, theirs = self._remote.ancestors(main), self._remote.ancestors(tip)
        base = self._base(main, tip)
        files = [self._remote.commits[commit].files if commit else {} for commit in (base, main, tip)]
        return Branch(
            name=name,
            tip=_shown(self._remote.commits[tip]),
            ahead=len(theirs.keys() - ours.keys()),
            behind=len(ours.keys() - theirs.keys()),
            paths=tuple(change.path for change in _changes(files[0], files[2])),
            mergeable=base is not None and not conflicts_of(*files),
        )

    def _below(self, commit: Stored, path: str) -> dict[str, tuple[str, bytes]]:
        return {name: found for name, found in commit.files.items() if name == path or name.startswith(f"{path}/")}

    def _below_parent(self, commit: Stored, path: str) -> dict[str, tuple[str, bytes]]:
        return self._below(self._remote.commits[commit.parents[0]], path) if commit.parents else {}


def _three(base: Files, mine: Files, other: Files) -> Files:
    """Both sides' changes; a file that both changed is a conflict, which was ruled out before."""
    return {
        path: found
        for path in {*mine, *other}
        if (found := (other if mine.get(path) == base.get(path) else mine).get(path)) is not None
    }


def _changes(old: Files, new: Files) -> tuple[FileChange, ...]:
    return tuple(
        FileChange(
            path=path,
            old=old[path][1].decode() if path in old else None,
            new=new[path][1].decode() if path in new else None,
            mode=new[path][0] if path in new else "000000",
        )
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    )


def _shown(commit: Stored) -> Commit:
    at = datetime.fromtimestamp(commit.at, UTC).isoformat().removesuffix("+00:00") + "Z"
    return Commit(
        id=commit.id, author=commit.author.partition(" <")[0], at=at, subject=commit.message.partition("\n")[0]
    )
