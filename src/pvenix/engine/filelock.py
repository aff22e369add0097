"""Locks on files: the kernel frees one when its owner dies, whatever the file says."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

_TRIES: Final = 5
_PAUSE_S: Final = 0.01


def take(file: IO[str]) -> bool:
    """Lock `file`; tries a few times, as whoever asks `held` holds it for a moment."""
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE_S)
    return False


def held(path: Path) -> bool:
    """True while a process holds the lock on the file at `path`."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def sign(file: IO[str], **words: str | int) -> None:
    """Say whose lock it is; a full disk does not matter, as the kernel and not the text holds the lock."""
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), json.dumps(words).encode())


def signature(path: Path) -> Mapping[str, str]:
    """What the owner of a lock has said of itself; empty when it cannot be read."""
    try:
        words = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in words.items()} if isinstance(words, dict) else {}
