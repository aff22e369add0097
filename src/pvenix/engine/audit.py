"""The audit log of a fleet on this machine: JSON Lines that are only ever appended, each sealed and tied to the one before.

A line ends with the SHA-256 of its own bytes before `,"hash"`; `prev` holds that of the line before, `n` counts. Beside the
log a small file keeps the last acknowledged number and hash, so that a tail that was cut off is missed. Whoever can write
both files can rewrite history from some line on: keep what `pvenix audit verify` prints elsewhere to rule that out.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pvenix.engine.noroom import no_room
from pvenix.model.errors import LocalResource
from pvenix.model.secret import KNOWN

FIRST: Final = "0" * 64
"""What the first line has as the hash of the line before."""
_SEAL: Final = b',"hash":"'
_CHUNK: Final = 1 << 16
Record = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in the chain."""

    n: int = 0
    hash: str = FIRST


class AuditLog:
    """One log with the mark of its end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.jsonl"
        self._end = folder / "audit.end"

    def append(self, records: Sequence[Record], *, missing_of: str = "") -> None:
        """Add a line for each record; they are on disk when this returns, and other processes wait for their turn.

        With `missing_of`, the id of a run, only those that the log does not have yet by host, step and count.
        Raises: LocalResource when the disk does not take them; none of them is in the log then.
        """
        if not records:
            return
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                known = self.keys(missing_of) if missing_of else frozenset()
                self._append(file, [record for record in records if key(record) not in known])
            finally:
                os.close(file)
        except OSError as error:
            raise no_room("the audit log cannot be written", self.path, error) from error

    def lines(self) -> Iterator[bytes]:
        """Every whole line without its end, oldest first."""
        for line in self.raw():
            if line.endswith(b"\n"):
                yield line[:-1]

    def raw(self) -> Iterator[bytes]:
        """Every line as it is in the file; the last one may lack its end.

        Raises: LocalResource when the file is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            raise LocalResource("the audit log cannot be read", why=str(error)) from error

    def records(self) -> Iterator[dict[str, Any]]:
        """What the lines say, oldest first; lines that say nothing are left to `verify`."""
        for line in self.lines():
            if record := record_in(line):
                yield record

    def keys(self, run: str) -> frozenset[tuple[str, str, int]]:
        """Host, step and count of every line of a run."""
        needle = json.dumps(run).encode()
        found = (record_in(line) for line in self.lines() if needle in line)
        return frozenset(key(record) for record in found if record.get("run") == run)

    def end(self) -> Mark | None:
        """The end that was acknowledged last, None when nothing says so."""
        try:
            words = json.loads(self._end.read_text())
            return Mark(n=int(words["n"]), hash=str(words["hash"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _append(self, file: int, records: Sequence[Record]) -> None:
        size = _whole(file)
        os.ftruncate(file, size)  # a line that a killed process left unfinished was never acknowledged
        mark = max(_mark_in(_last(file, size)), self.end() or Mark(), key=lambda each: each.n)
        text = b""
        for record in records:
            line, mark = sealed(record, mark)
            text += line + b"\n"
        try:
            _write_all(file, text)
        except OSError:
            os.ftruncate(file, size)
            raise
        self._acknowledge(mark)

    def _acknowledge(self, mark: Mark) -> None:
        temporary = self._end.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"n": mark.n, "hash": mark.hash}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._end)


def _write_all(file: int, text: bytes) -> None:
    """Put `text` on disk with one call. Raises: OSError."""
    if os.write(file, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file)


def sealed(record: Record, before: Mark) -> tuple[bytes, Mark]:
    """The line of a record behind `before`, and its own mark."""
    fields = {"n": before.n + 1, **KNOWN.masked(record), "prev": before.hash}
    body = json.dumps(fields, separators=(",", ":")).encode()[:-1]
    seal = hashlib.sha256(body).hexdigest()
    return body + _SEAL + seal.encode() + b'"}', Mark(n=before.n + 1, hash=seal)


def seal_of(line: bytes) -> str:
    """The hash of a whole line, empty when it does not fit the line."""
    body, found, rest = line.rpartition(_SEAL)
    seal = hashlib.sha256(body).hexdigest()
    return seal if found and rest == seal.encode() + b'"}' else ""


def record_in(line: bytes) -> dict[str, Any]:
    """What a line says; empty when it says nothing."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def key(record: Mapping[str, Any]) -> tuple[str, str, int]:
    """What tells a line from the others of its run."""
    count = record.get("count", 0)
    return str(record.get("host", "")), str(record.get("step", "")), count if isinstance(count, int) else 0


def _mark_in(line: bytes) -> Mark:
    """The place of a line, as it says itself; of one that says none, its hash all the same."""
    record = record_in(line)
    n = record.get("n")
    return Mark(n=n, hash=str(record.get("hash", FIRST))) if isinstance(n, int) else Mark()


def _whole(file: int) -> int:
    """Up to where the file holds whole lines, in bytes."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _CHUNK)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _last(file: int, size: int) -> bytes:
    """The last whole line, without its end; `size` is behind it."""
    text, start = b"", size
    while start and b"\n" not in text[:-1]:
        step = min(_CHUNK, start)
        start -= step
        text = os.pread(file, step, start) + text
    return text[:-1].rpartition(b"\n")[2]
