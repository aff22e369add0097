"""One run at a time per host on this machine; the kernel frees a lock when its owner dies.

Between machines the target issues a fence (`lifecycle.activation.fence`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pvenix.model.errors import LocalResource, LockHeld


class HostLocks:
    """The host locks of one fleet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, host: str, *, owner: str, since: str) -> Iterator[None]:
        """Hold `host` for `owner` (a run id).

        Raises: LockHeld naming the owner and since when; LocalResource when the lock file cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self._folder / host).open("a+")
        except OSError as error:
            raise LocalResource("the lock file cannot be made", why=str(error)) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LockHeld(f"{host} is being worked on", why=_owner(self._folder / host)) from error
            _sign(file, json.dumps({"owner": owner, "since": since, "pid": os.getpid()}))
            yield


def _sign(file: TextIO, words: str) -> None:
    """Say whose lock it is; a full disk does not matter, as the kernel and not the text holds the lock."""
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), words.encode())


def _owner(path: Path) -> str:
    try:
        data = json.loads(path.read_text())
        return f"run {data['owner']} since {data['since']} (process {data['pid']})"
    except (OSError, ValueError, KeyError):
        return "by another process"
