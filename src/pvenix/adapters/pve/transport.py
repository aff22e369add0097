"""The seam below the typed calls: one API request, and the four ways in which it does not come back with data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NewType, Protocol

from pvenix.model.errors import UsageError

ApiPath = NewType("ApiPath", str)
"""A path below `/api2/json`, made by `api_path` only."""
Params = Mapping[str, str | Sequence[str]]
"""Form or query parameters; a list is sent as a repeated key."""

_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_BACKUP: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*:backup(?:/[A-Za-z0-9][A-Za-z0-9._:-]*){1,3}")
"""`local:backup/vzdump-qemu-101-2026_01_01-00_00_00.vma.zst`, `pbs:backup/vm/101/2026-01-01T00:00:00Z`."""
_UPID: Final = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9-]+):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}"
    r":(?P<kind>[A-Za-z0-9_-]+):(?P<id>[A-Za-z0-9._@-]*):[A-Za-z0-9._@!-]+:"
)


def api_path(*parts: str | int) -> ApiPath:
    """`parts` as a path; the client library joins without quoting, so `..`, `/`, `?` and `#` must not get that far.

    Raises: UsageError for a part that is neither a plain word nor a task id.
    """
    for part in parts:
        if not (_PART.fullmatch(str(part)) or _UPID.fullmatch(str(part))):
            raise UsageError(f"{str(part)[:80]!r} cannot be part of a Proxmox API path")
    return ApiPath("/".join(str(part) for part in parts))


def backup_path(node: str, backup: str) -> ApiPath:
    """The path of a backup by its volume id, whose slashes Proxmox takes as they are (fragmentDelimiter in pve-storage).

    Raises: UsageError for a volume that is not a backup.
    """
    if not _BACKUP.fullmatch(backup):
        raise UsageError(f"{backup[:120]!r} is not a backup")
    return ApiPath(f"{api_path('nodes', node, 'storage', backup.partition(':')[0], 'content')}/{backup}")


def upid_node(upid: str) -> str:
    """The node on which the task `upid` runs.

    Raises: UsageError when it is not a task id (grammar: pve-common, PVE::Tools::upid_decode).
    """
    match = _UPID.fullmatch(upid)
    if match is None:
        raise UsageError(f"{upid[:120]!r} is not a Proxmox task id")
    return match["node"]


class Transport(Protocol):
    """Carries one request to one cluster."""

    async def request(self, method: str, path: ApiPath, params: Params) -> object:
        """The `data` of a successful answer.

        Raises: ApiStatus, NotSent, AnswerLost, BadAnswer.
        """
        ...

    async def close(self) -> None:
        """End the connections."""
        ...


class ApiStatus(Exception):
    """Proxmox answered with a status of 400 or more; `reason` is its message."""

    def __init__(self, status: int, reason: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.errors = dict(errors or {})


class NotSent(Exception):
    """No endpoint took a connection: nothing was asked. `refused` when identity was the reason (TLS)."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


class AnswerLost(Exception):
    """The request may have been received, the answer was not."""


class BadAnswer(Exception):
    """Something answered that is not the Proxmox API: a redirect, a page, an unexpected shape."""


FAILURES: Final = (ApiStatus, NotSent, AnswerLost, BadAnswer)
"""Everything that a transport raises."""
