"""A person's checkout of the fleet: made a clone of the repository without changing or losing one file of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pvenix.adapters.git import objects
from pvenix.adapters.git.names import HEADS, branch_ref
from pvenix.adapters.git.runner import Git, environment
from pvenix.model.errors import LocalResource, Refused, UsageError
from pvenix.model.names import CommitId

_SIGN_OF_A_FLEET: Final = "inventory/site.yaml"
_ABSENT: Final = "0" * 40
_GITLINK: Final = "160000"


async def stage(root: Path, path: Path, *, home: Path) -> bool:
    """Put a file that the checkout at `root` tracks into its index, as `git add` does; False where that is not so.

    A pull goes on over a staged file that is what the pull brings, and refuses one that is not staged (git-read-tree(1),
    two tree merge). `home` is a directory without settings of Git.
    """
    git = Git(root / ".git", environment(protocol="file", ssh="false", home=home), worktree=root)
    if not git.directory.exists():
        return False
    if (await git.run("ls-files", "--error-unmatch", "--", str(path))).status != 0:
        return False
    return (await git.run("add", "--", str(path))).status == 0


async def head(root: Path, *, home: Path) -> str:
    """The commit that is checked out at `root`, empty when it is no repository or has none. `home` as for `stage`."""
    git = Git(root / ".git", environment(protocol="file", ssh="false", home=home), worktree=root)
    if not git.directory.exists():
        return ""
    done = await git.run("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
    return done.stdout.decode().strip() if done.status == 0 else ""


async def listed(root: Path, *, home: Path) -> tuple[str, ...] | None:
    """The files at `root` that Git has or would take, None when it is no checkout. `home` as for `stage`."""
    git = Git(root / ".git", environment(protocol="file", ssh="false", home=home), worktree=root)
    if not git.directory.exists():
        return None
    done = await git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return tuple(name.decode("utf-8", "surrogateescape") for name in done.stdout.split(b"\0") if name)


class Checkout:
    """The directory of a fleet, under Git or not yet. `home` is a directory without settings of Git."""

    def __init__(self, root: Path, *, url: str, branch: str, author: str, home: Path) -> None:
        self._root = root
        self._url = url
        self._ref = branch_ref(branch)
        self._branch = branch
        self._author = objects.Identity.parse(author)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        env = environment(protocol="file", ssh="false", home=home)
        self._git = Git(root / ".git", env, worktree=root)

    @property
    def repository(self) -> Path:
        """Where its commits are."""
        return self._git.directory

    async def examine(self) -> None:
        """Nothing, when the directory can become a clone; nothing is changed.

        Raises: UsageError when it is a clone of something else, or another branch is checked out.
        """
        if not self.repository.exists():
            return
        origin = (await self._git.ask("config", "--get", "remote.origin.url", accept=(0, 1))).text
        if origin not in ("", self._url):
            raise UsageError(
                f"{self._root} is a clone of {origin}",
                why=f"inventory/site.yaml names {self._url}",
                hint=f"git -C {self._root} remote rename origin before, then init again",
            )
        head = (await self._git.ask("symbolic-ref", "--quiet", "HEAD", accept=(0, 1))).text
        if head != self._ref:
            raise UsageError(
                f"{self._root} is on {head.removeprefix(HEADS) or 'no branch'}, not on {self._branch}",
                hint=f"git -C {self._root} switch {self._branch}, then init again",
            )

    async def join(self, mirror: Path, tip: CommitId | None, *, message: str) -> CommitId:
        """The commit that the repository's main branch, now at `tip`, should be at; the checkout is at it afterwards.

        What `tip` has and the directory lacks is restored, everything else is committed on top. A fleet that is
        committed already is left as it is. Raises: Refused for what does not belong into a fleet's repository,
        UsageError when it and the repository went different ways.
        """
        await self._clone_of(mirror)
        head = await self._at(self._ref)
        if head is None:
            return await self._commit([tip] if tip else [], message)
        if tip is None or await self._contains(head, tip):
            return head if await self._holds_fleet(head) else await self._commit([head], message)
        if await self._contains(tip, head) and await self._holds_fleet(head):
            return tip
        if (await self._git.ask("merge-base", head, tip, accept=(0, 1))).text:
            raise UsageError(
                f"{self._root} and its repository have gone different ways",
                hint=f"git -C {self._root} pull --rebase, then init again",
            )
        return await self._commit([tip, head], message)

    async def pushed(self, commit: CommitId) -> None:
        """Remember that the repository's main branch is at `commit`."""
        await self._git.ask("update-ref", f"refs/remotes/origin/{self._branch}", commit)

    async def _clone_of(self, mirror: Path) -> None:
        if not self.repository.exists():
            await self._git.ask("init", "--quiet", f"--initial-branch={self._branch}")
        await self._set("remote.origin.url", self._url)
        await self._set("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
        await self._set(f"branch.{self._branch}.remote", "origin")
        await self._set(f"branch.{self._branch}.merge", self._ref)
        await self._git.ask(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", str(mirror),
            "+refs/heads/*:refs/remotes/origin/*",
        )  # fmt: skip

    async def _set(self, key: str, value: str) -> None:
        """One setting, unless the person has one."""
        if not (await self._git.ask("config", "--get-all", key, accept=(0, 1))).text:
            await self._git.ask("config", key, value)

    async def _at(self, rev: str) -> CommitId | None:
        done = await self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", rev, accept=(0, 1))
        return CommitId(done.text) if done.text else None

    async def _contains(self, descendant: str, ancestor: str) -> bool:
        done = await self._git.ask("merge-base", "--is-ancestor", ancestor, descendant, accept=(0, 1))
        return done.status == 0

    async def _holds_fleet(self, commit: str) -> bool:
        return bool((await self._git.ask("ls-tree", "--full-tree", commit, "--", _SIGN_OF_A_FLEET)).text)

    async def _commit(self, parents: Sequence[CommitId], message: str) -> CommitId:
        """The directory as a commit on top of the first parent, whose files it keeps; the branch is at it afterwards."""
        empty = (await self._git.ask("mktree")).text
        base = f"{parents[0]}^{{tree}}" if parents else empty
        before = await self._at(self._ref)
        await self._git.ask("read-tree", base)
        await self._restore()
        await self._git.ask("add", "--all")
        tree = (await self._git.ask("write-tree")).text
        await self._check(base, tree)
        if len(parents) == 1 and tree == await self._at(base):
            commit = parents[0]
        else:
            commit = CommitId(
                await objects.commit_tree(
                    self._git, tree, parents, message=message, author=self._author, committer=self._author
                )
            )
        await self._git.ask("update-ref", self._ref, commit, before or _ABSENT)
        return commit

    async def _restore(self) -> None:
        """Files of the index that the directory lacks; one that is there is never written."""
        missing = (await self._git.ask("ls-files", "-z", "--deleted")).stdout
        if not missing:
            return
        done = await self._git.run("checkout-index", "-z", "--stdin", stdin=missing)
        if done.status != 0:
            raise LocalResource(
                f"files of the repository's history cannot be put into {self._root}",
                why=" / ".join(done.stderr.split("\n")[-4:]).strip(" /"),
                hint="a file of yours is where that history has a directory: move it, then init again",
            )

    async def _check(self, base: str, tree: str) -> None:
        for change in await objects.changes(self._git, base, tree):
            if change.mode == _GITLINK:
                raise Refused(
                    f"{self._root / change.path} is a repository of its own",
                    why="its files would not be in the fleet",
                    hint="move it out of the fleet, or remove its .git, then init again",
                    code="PVX0724",
                )
            if "PRIVATE KEY-----" in (change.new or ""):
                raise Refused(
                    f"{self._root / change.path} holds a private key",
                    why="everybody who may read the fleet could use it",
                    hint="move it out of the fleet, or name it in .gitignore, then init again",
                    code="PVX0725",
                )
