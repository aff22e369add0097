"""The fleet's Git repository: its history, the registration branches and this checkout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.model.act import Act
from pvenix.model.outcome import Status
from pvenix.model.review import Review
from pvenix.operator import operator
from pvenix.wiring.reviewing import Reviewing

if TYPE_CHECKING:
    from pvenix.engine.ports import Commit
    from pvenix.lifecycle.history import CommitPage
    from pvenix.model.initialised import Initialised
    from pvenix.model.lint import LintFinding


class Repository(Reviewing):
    """Commits, reviews and files."""

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        """The main branch's commits, newest first."""
        repo = (await self._site()).repo
        return await repo.log(await repo.fetch(), limit=limit)

    async def commit(self, commit: str) -> CommitPage:
        """A commit with its files and the hosts that it may concern."""
        from pvenix.lifecycle.history import page

        return await page(await self._site(), commit)

    async def commit_hosts(self, commits: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The hosts that each commit may concern."""
        from pvenix.lifecycle.history import concerned

        return await concerned(await self._site(), commits)

    async def reviews(self) -> tuple[Review, ...]:
        """Branches that are not merged, without files, checks and comments."""
        from pvenix.lifecycle.review import open_reviews

        return await open_reviews(await self._site())

    async def review(self, host: str) -> Review:
        """The registration branch of `host`, or the branch of this name, with its files, checks and comments."""
        from pvenix.lifecycle.review import read

        return await read(await self._site(), host, elsewhere=asyncio.to_thread)

    async def review_details(self, names: Sequence[str]) -> AsyncIterator[Review]:
        """These reviews with files, checks and comments, as they are read."""
        from pvenix.lifecycle.review import details

        async for review in details(await self._site(), names, elsewhere=asyncio.to_thread):
            yield review

    async def approve(self, host: str, commit: str, comment: str = "", *, acknowledged: Sequence[str] = ()) -> None:
        """Approve exactly `commit`; what was acknowledged is kept with it."""
        self.refuse_change("approve a branch")
        from pvenix.lifecycle.review import approve, branch_of

        with self._acting(Act.APPROVE, host=host, commit=commit, about=branch_of(host)) as act:
            world = await self._site()
            act.commit = (
                await approve(world, host, commit, comment=comment, by=operator(), acknowledged=acknowledged)
            ).commit

    async def reject(self, host: str, commit: str, comment: str) -> None:
        """Reject exactly `commit`."""
        self.refuse_change("reject a branch")
        from pvenix.lifecycle.review import branch_of, reject

        with self._acting(Act.REJECT, host=host, commit=commit, about=branch_of(host)) as act:
            act.commit = (await reject(await self._site(), host, commit, comment=comment, by=operator())).commit

    async def merge(self, host: str, commit: str) -> str:
        """Merge exactly the approved `commit` into main; returns the new tip."""
        self.refuse_change("move the main branch")
        from pvenix.lifecycle.review import branch_of, merge

        with self._acting(Act.MERGE, host=host, about=f"{branch_of(host)} {commit}") as act:
            world = await self._site()
            act.before = await world.repo.fetch()
            act.commit = await merge(world, host, commit)
            act.outcome = Status.SKIPPED if act.commit == act.before else Status.CHANGED
            return act.commit

    async def init_remote(self, say: Callable[[str], None]) -> Initialised:
        """Make the repository that site.yaml names, and this directory its clone."""
        self.refuse_change("make a repository")
        from pvenix.init_remote import init_remote

        return await init_remote(self.fleet(), trust=self.trust, cache=self.cache_dir, say=say)

    async def lint(self, paths: Sequence[Path] = ()) -> tuple[LintFinding, ...]:
        """What does not belong into the fleet's files, or into those of these files and directories alone.

        Raises: UsageError for a path that is not there. The fleet need not be valid.
        """
        from tempfile import TemporaryDirectory

        from pvenix.adapters.git.checkout import listed
        from pvenix.lifecycle.lint.files import lint
        from pvenix.lifecycle.lint.reading import read_files

        with TemporaryDirectory() as home:
            names = await listed(self.root, home=Path(home))
        files = read_files(self.root, names, paths)
        return lint(files.texts, files.unread)

    async def stage(self, path: Path) -> bool:
        """Stage an edited file of this checkout, so that a pull which brings the same text goes on; True when done."""
        self.refuse_change("stage a file")
        from pvenix.adapters.git.checkout import stage

        return await stage(self.root, path, home=self._git_home())
