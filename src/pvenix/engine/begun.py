"""Acts under way: a file for each beside the audit log, so that one whose process is killed has its line all the same."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pvenix.engine.audit import AuditLog, Record, record_in
from pvenix.engine.filelock import take
from pvenix.model.errors import LocalResource
from pvenix.model.outcome import Status
from pvenix.model.secret import KNOWN

ID: Final = "act"
"""What tells the line of an act from those of all others."""
_NEW: Final = ".new"


def new_id() -> str:
    """An id for an act, which its line has as `ID`."""
    return uuid.uuid4().hex[:16]


@contextmanager
def begun(log: AuditLog, record: Record) -> Iterator[Callable[[Record], None]]:
    """Keep the line of what is about to be done until the one of its end is written, which is what this gives.

    The kernel frees the file's lock when this process dies, and whoever looks next finds it: see `complete_acts`.
    Raises: LocalResource when the disk does not take it; nothing is to be done then.
    """
    path = _folder(log) / f"{record[ID]}.json"

    def ended(line: Record) -> None:
        log.append([line])
        path.unlink(missing_ok=True)

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = _written(path, {**record, "outcome": Status.UNKNOWN.value})
    except OSError as error:
        raise LocalResource(
            "what is about to be done cannot be noted for the audit log", why=str(error), hint="make room, and repeat"
        ) from error
    with file:
        yield ended


def complete_acts(log: AuditLog) -> None:
    """Write the lines of acts whose processes died on the way: nobody saw how they ended, and the lines say so.

    Raises: LocalResource when the log cannot be written.
    """
    for path in sorted(_folder(log).glob("*.json")):
        with contextlib.suppress(FileNotFoundError), path.open("r+") as file:
            if not take(file) or not path.exists():  # it is under way, or another process was faster
                continue
            record = record_in(path.read_bytes())
            if record and not _has(log, str(record[ID])):
                log.append([record])
            path.unlink(missing_ok=True)


def _folder(log: AuditLog) -> Path:
    return log.path.parent / "acts"


def _written(path: Path, record: Record) -> IO[str]:
    """The file, on the disk and locked before anybody can see it under its name. Raises: OSError."""
    new = path.with_suffix(_NEW)
    file = os.fdopen(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "r+")
    try:
        take(file)
        json.dump(KNOWN.masked(record), file)
        file.flush()
        os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        file.close()
        raise
    return file


def _has(log: AuditLog, name: str) -> bool:
    """Whether the log has the line of an act: its process may have died between the line and the end of its file."""
    needle = json.dumps(name).encode()
    return any(record_in(line).get(ID) == name for line in log.lines() if needle in line)
