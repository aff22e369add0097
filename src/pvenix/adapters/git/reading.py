"""Typed reads through GitPython: its object model, never its `repo.git` door, which takes text for options."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pvenix.adapters.git.listing import utc
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import Commit
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId

if TYPE_CHECKING:
    import git

T = TypeVar("T")
_REDIRECTING: Final = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE",
)  # fmt: skip
_MODE_LINK: Final = 0o120000
_LIMIT: Final = 1 << 24
"""Bytes of one file; a guest may push what it likes to its own branch."""


class Reader:
    """Reads commits and files of a mirror. GitPython keeps one `git cat-file` process, so one thread at a time."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self._directory = directory
        self._env = dict(env) | {"GIT_DIR": str(directory)}
        self._repo: git.Repo | None = None
        self._one = threading.Lock()

    async def text(self, commit: str, path: str) -> str | None:
        """The text of a file at a commit, None when there is no such file."""
        return await self._in_thread(lambda repo: _text(repo, commit, path))

    async def log(self, commit: str, limit: int, path: str) -> tuple[Commit, ...]:
        """Commits up to `commit`, newest first; with `path` only those that touch it."""
        return await self._in_thread(
            lambda repo: tuple(_commit(found) for found in repo.iter_commits(commit, paths=path or "", max_count=limit))
        )

    async def _in_thread(self, read: Callable[[git.Repo], T]) -> T:
        return await asyncio.to_thread(self._locked, read)

    def _locked(self, read: Callable[[git.Repo], T]) -> T:
        with self._one:
            return read(self._open())

    def _open(self) -> git.Repo:
        if self._repo is None:
            # GitPython takes these from the process itself, whatever directory it is given; a hook sets them, for one.
            for name in _REDIRECTING:
                os.environ.pop(name, None)
            import git

            self._repo = git.Repo(self._directory)
            self._repo.git.update_environment(**self._env)
        return self._repo

    def close(self) -> None:
        """End GitPython's git processes."""
        with self._one:
            if self._repo is not None:
                self._repo.close()
                self._repo = None


def _text(repo: git.Repo, commit: str, path: str) -> str | None:
    try:
        entry = repo.commit(commit).tree / path
    except KeyError:
        return None
    if entry.type != "blob" or entry.mode == _MODE_LINK:
        return None
    if entry.size > _LIMIT:
        raise RemoteFailure(f"{path} at {commit[:10]} is too large to be read", why=f"{entry.size} bytes")
    data: bytes = entry.data_stream.read()
    return data.decode("utf-8", "replace")


def _commit(found: git.Commit) -> Commit:
    return Commit(
        id=CommitId(found.hexsha),
        author=sanitise(str(found.author.name or "")),
        at=utc(str(found.committed_date)),
        subject=sanitise(str(found.summary)),
    )
