"""What front ends ask of a run: a file each, which the run takes away when it has read it."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pvenix.model.errors import UsageError


class Ask(StrEnum):
    """What a front end may ask of a run."""

    CANCEL = "cancel"
    """Start no further step."""
    PAUSE = "pause"
    CONTINUE = "continue"
    """End a pause, and let the steps that wait for a turn begin."""
    RETRY = "retry"
    """Run failed hosts again."""
    SKIP = "skip"
    """Go on behind the step at which a host waits or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a front end."""

    kind: Ask
    host: str = ""
    """The host it is about, empty for the whole run."""
    step: str = ""
    """The step that `SKIP` is about: by the time it is read the host may be at another one."""
    by: str = ""
    """Who asks, where that is kept."""


def put_request(folder: Path, kind: str, host: str, *, step: str = "", by: str = "") -> None:
    """Leave a request in `folder`, whole or not at all.

    Raises: UsageError for an unknown request.
    """
    if kind not in set(Ask):
        raise UsageError(f"a run knows no request {kind!r}", hint=f"one of: {', '.join(Ask)}")
    name = f"{time.time_ns()}-{secrets.token_hex(2)}"
    temporary = folder / f".{name}"
    temporary.write_text(json.dumps({"kind": kind, "host": host, "step": step, "by": by}))
    temporary.rename(folder / f"{name}.json")


def take_requests(folder: Path) -> list[Request]:
    """The requests made since the last call, oldest first."""
    taken = []
    for file in sorted(folder.glob("*.json")):
        try:
            text = file.read_bytes()
            file.unlink()
        except OSError:
            continue  # what cannot be taken away would be asked again and again
        # Not of our writing, or of a newer version's: nobody asked anything that we know.
        with contextlib.suppress(ValueError, LookupError, TypeError):
            data: dict[str, Any] = json.loads(text)
            kind, step, by = Ask(data["kind"]), data.get("step", ""), data.get("by", "")
            taken.append(Request(kind=kind, host=data["host"], step=step, by=by))
    return taken
