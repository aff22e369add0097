"""Fetch from the true repository and push to it, one reference at a time, only if it is still what we think it is."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Final

from pvenix.adapters.git.pin import HostPin
from pvenix.adapters.git.runner import Done, Git
from pvenix.model.errors import (
    LocalResource,
    LockHeld,
    OutcomeUnknown,
    PvenixError,
    Refused,
    RemoteFailure,
    Unreachable,
)

_NETWORK_TIMEOUT_S: Final = 120.0
_LOCK_WAIT_S: Final = 150.0
_MIRRORED: Final = ("+refs/heads/*:refs/heads/*", "+refs/notes/*:refs/notes/*", "+refs/tags/*:refs/tags/*")
_REJECTED: Final = re.compile(r"^!\t[^\t]*\t(?P<summary>.*)$", re.MULTILINE)
_RACE_WORDS: Final = ("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")
_NOTHING_SENT: Final = re.compile(
    r"connect to host |could not resolve hostname|not appear to be a git repository", re.IGNORECASE
)
_REFUSALS: Final = (
    (re.compile(r"host key verification failed|host identification has changed|host key is known", re.IGNORECASE),
     "its host key is not the pinned one", "compare the key and set repository.host_key in inventory/site.yaml", "PVX0711"),
    (re.compile(r"permission denied|bad permissions|load key .*(error|invalid|denied)", re.IGNORECASE),
     "it does not accept the key", "set repository.key in inventory/site.yaml to a key that may log in there", "PVX0712"),
)  # fmt: skip


class Pushed(Enum):
    """What became of a push."""

    DONE = auto()
    RACE = auto()
    """The reference was not what was expected; nothing changed."""


class Remote:
    """One remote repository and its mirror on this machine."""

    def __init__(self, git: Git, url: str, branch: str, *, pin: HostPin | None = None) -> None:
        self._git = git
        self._url = url
        self._branch = branch
        self._pin = pin
        self._mine = asyncio.Lock()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """The mirror's references are ours alone: among the tasks of this process and among processes.

        Raises: LockHeld when another process does not let go, LocalResource when the cache cannot be written.
        """
        async with self._mine:
            path = self._git.directory.with_suffix(".lock")
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise LocalResource(f"the cache {path.parent} cannot be written", why=str(error)) from error
            try:
                await _acquire(descriptor, path)
                yield
            finally:
                os.close(descriptor)

    async def fetch(self) -> None:
        """Bring the mirror up to date, making it first when there is none.

        Raises: Unreachable, Refused, LockHeld, LocalResource.
        """
        self._expect_host()
        async with self.exclusive():
            await self._prepare()
            try:
                done = await self._git.run(
                    "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
                    "--no-auto-maintenance", "--end-of-options", self._url, *_MIRRORED, timeout_s=_NETWORK_TIMEOUT_S,
                )  # fmt: skip
            except TimeoutError as error:
                raise Unreachable(
                    f"the repository {self._url} cannot be read", why=f"no end after {_NETWORK_TIMEOUT_S:g} s"
                ) from error
            if done.status != 0:
                raise self._problem(done)

    async def _prepare(self) -> None:
        if (self._git.directory / "HEAD").exists():
            _drop_stale_locks(self._git.directory)
            return
        await self._git.ask("init", "--quiet", "--bare", f"--initial-branch={self._branch}", str(self._git.directory))

    async def push(self, ref: str, new: str | None, expect: str | None) -> Pushed:
        """Set `ref` to `new` (None deletes it) if it is at `expect` (None: absent) now.

        Callers make sure that `new` contains `expect`: the lease also allows what is no fast-forward.
        Raises: Refused with the remote's words, Unreachable when nothing was changed, OutcomeUnknown when that cannot
        be told.
        """
        self._expect_host()
        try:
            done = await self._git.run(
                "push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
                f"--force-with-lease={ref}:{expect or ''}", "--end-of-options", self._url, f"{new or ''}:{ref}",
                timeout_s=_NETWORK_TIMEOUT_S,
            )  # fmt: skip
        except TimeoutError:
            return await self._after_loss(ref, new, expect, Unreachable(f"the repository {self._url} does not answer"))
        if done.status == 0:
            await self._remember(ref, new)
            return Pushed.DONE
        rejection = _REJECTED.search(done.text)
        if rejection is None and _NOTHING_SENT.search(done.stderr):
            raise self._problem(done)
        if rejection is None:
            return await self._after_loss(ref, new, expect, self._problem(done))
        if any(word in rejection["summary"] for word in _RACE_WORDS):
            return Pushed.RACE
        raise self._refused(ref, rejection["summary"], done)

    def _expect_host(self) -> None:
        if self._pin is not None:
            self._pin.write()

    async def _remember(self, ref: str, new: str | None) -> None:
        """What the push did to the remote, also in the mirror."""
        async with self.exclusive():
            await self._git.ask("update-ref", *(["--end-of-options", ref, new] if new else ["-d", ref]))

    async def _after_loss(self, ref: str, new: str | None, expect: str | None, problem: PvenixError) -> Pushed:
        """Look at the remote when a push did not say how it ended.

        Raises: `problem` when it changed nothing, OutcomeUnknown when the remote cannot be read.
        """
        if isinstance(problem, Refused):
            raise problem
        try:
            await self.fetch()
        except PvenixError as error:
            raise OutcomeUnknown(
                f"the push of {ref} to {self._url} was cut", why=problem.why, hint="look at the branch before repeating"
            ) from error
        now = await self.at(ref)
        if now == new:
            return Pushed.DONE
        if now == expect:
            raise problem
        return Pushed.RACE

    async def at(self, ref: str) -> str | None:
        """The commit of `ref` in the mirror, None when it is absent."""
        done = await self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", ref, accept=(0, 1))
        return done.text or None

    def _problem(self, done: Done) -> PvenixError:
        why = _last_words(done.stderr)
        for pattern, what, hint, code in _REFUSALS:
            if pattern.search(done.stderr):
                return Refused(f"the repository {self._url} cannot be used: {what}", why=why, hint=hint, code=code)
        if "not appear to be a git repository" in done.stderr or "does not exist" in done.stderr:
            hint = "`pvenix init --remote` makes a bare repository on a host"
            return RemoteFailure(f"there is no repository at {self._url}", why=why, hint=hint, code="PVX0714")
        return Unreachable(
            f"the repository {self._url} cannot be reached", why=why, hint="is its host up, and the port right?"
        )

    def _refused(self, ref: str, summary: str, done: Done) -> Refused:
        said = [line.removeprefix("remote:").strip() for line in done.stderr.split("\n") if line.startswith("remote:")]
        said = [line for line in said if line and not line.startswith("error: hook declined")]
        return Refused(
            f"the repository does not let us change {ref}",
            why=" / ".join(said[-3:]) or summary,
            hint="the key that pushes may not do this; compare the repository's update hook",
            evidence=tuple(said[-6:]),
            code="PVX0713",
        )


async def _acquire(descriptor: int, path: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if loop.time() >= deadline:
                raise LockHeld(f"another pvenix has been using {path} for {_LOCK_WAIT_S:g} s") from error
            await asyncio.sleep(0.05)
        else:
            return


def _drop_stale_locks(directory: Path) -> None:
    """Remove what a killed git left: whoever holds our lock is the only one who writes references here."""
    for leftover in (*directory.glob("*.lock"), *(directory / "refs").rglob("*.lock")):
        leftover.unlink(missing_ok=True)


def _last_words(stderr: str) -> str:
    lines = [line.strip() for line in stderr.split("\n") if line.strip()]
    telling = [
        line for line in lines if not line.startswith(("fatal: Could not read from", "Please make sure", "and the "))
    ]
    return " / ".join((telling or lines)[-3:])
