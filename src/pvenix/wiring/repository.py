"""The fleet's Git repository: its history, the registration branches and this checkout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.model.review import Review
from pvenix.operator import operator
from pvenix.wiring.opened import OpenFleet

if TYPE_CHECKING:
    from pvenix.engine.ports import Commit
    from pvenix.model.initialised import Initialised
    from pvenix.model.lint import LintFinding


class Repository(OpenFleet):
    """Commits, reviews and files."""

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        """The main branch's commits, newest first."""
        repo = (await self._site()).repo
        return await repo.log(await repo.fetch(), limit=limit)

    async def reviews(self) -> tuple[Review, ...]:
        """Registration branches that are not merged, without files and checks."""
        from pvenix.lifecycle.review import open_reviews

        return await open_reviews(await self._site())

    async def review(self, host: str) -> Review:
        """The registration branch of `host` with its files and checks."""
        from pvenix.lifecycle.review import read

        return await read(await self._site(), host)

    async def approve(self, host: str, commit: str, comment: str = "") -> None:
        """Approve exactly `commit`."""
        from pvenix.lifecycle.review import approve

        await approve(await self._site(), host, commit, comment=comment, by=operator())

    async def reject(self, host: str, commit: str, comment: str) -> None:
        """Reject exactly `commit`."""
        from pvenix.lifecycle.review import reject

        await reject(await self._site(), host, commit, comment=comment, by=operator())

    async def merge(self, host: str, commit: str) -> str:
        """Merge exactly the approved `commit` into main; returns the new tip."""
        from pvenix.lifecycle.review import merge

        return await merge(await self._site(), host, commit)

    async def init_remote(self, say: Callable[[str], None]) -> Initialised:
        """Make the repository that site.yaml names, and this directory its clone."""
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
        from pvenix.adapters.git.checkout import stage

        return await stage(self.root, path, home=self._git_home())
