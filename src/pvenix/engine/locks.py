"""One run at a time per host on this machine; the kernel frees a lock when its owner dies.

Between machines the target issues a fence (`lifecycle.activation.fence`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pvenix.engine.filelock import held, sign, signature, take
from pvenix.model.ages import since_words
from pvenix.model.errors import LocalResource, LockHeld


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who works on a host; what the owner did not write is empty."""

    host: str
    run: str
    operator: str
    since: str
    """UTC, ISO 8601."""
    pid: str

    def words(self, now: str) -> str:
        """The holder in one line, with the age of its lock."""
        if not self.run:
            return "by another process"
        by = f" of {self.operator}" if self.operator else ""
        return f"by run {self.run}{by}, {since_words(self.since, now)} (process {self.pid})"


class HostLocks:
    """The host locks of one fleet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, host: str, *, owner: str, since: str, operator: str = "") -> Iterator[None]:
        """Hold `host` for `owner` (a run id) from `since` on, which is now (UTC, ISO 8601).

        Raises: LockHeld naming the owner and the age of its lock; LocalResource when the lock file cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self._folder / host).open("a+")
        except OSError as error:
            raise LocalResource("the lock file cannot be made", why=str(error)) from error
        with file:
            if not take(file):
                holder = self._holder(host)
                look = f"pvenix runs show {holder.run} -f" if holder.run else "pvenix runs locks"
                raise LockHeld(f"{host} is being worked on", why=f"{holder.words(since)}; look: {look}")
            sign(file, owner=owner, operator=operator, since=since, pid=os.getpid())
            yield

    def holders(self) -> tuple[Holder, ...]:
        """Every host that a process works on now, by name."""
        if not self._folder.is_dir():
            return ()
        return tuple(self._holder(path.name) for path in sorted(self._folder.iterdir()) if held(path))

    def _holder(self, host: str) -> Holder:
        words = signature(self._folder / host)
        known = {key: words.get(key, "") for key in ("operator", "since", "pid")}
        return Holder(host=host, run=words.get("owner", ""), **known)
