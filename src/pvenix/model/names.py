"""Names that may enter a path, a command line or a reference; everything else is refused here."""

from __future__ import annotations

import re
from typing import NewType

from pvenix.model.errors import UsageError

HostName = NewType("HostName", str)
NodeName = NewType("NodeName", str)
Vmid = NewType("Vmid", int)
StorePath = NewType("StorePath", str)
CommitId = NewType("CommitId", str)
RunId = NewType("RunId", str)

_LABEL = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_STORE = re.compile(r"/nix/store/[0-9a-df-np-sv-z]{32}-[A-Za-z0-9+._?=-]{1,211}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|\.\Z|\A-")
"""What no branch of Git has in its name (git-check-ref-format(1))."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def host_name(text: str) -> HostName:
    """`text` as a host name: an RFC 1123 label that starts with a letter.

    Raises: UsageError when it is not one.
    """
    if not _LABEL.fullmatch(text):
        raise UsageError(f"{text!r} is not a host name", hint="use letters, digits and inner hyphens, at most 63")
    return HostName(text)


def node_name(text: str) -> NodeName:
    """`text` as a Proxmox node name (format `pve-node`).

    Raises: UsageError when it is not one.
    """
    if not _NODE.fullmatch(text):
        raise UsageError(f"{text!r} is not a node name", hint="a node name is one label, not an FQDN")
    return NodeName(text)


def vmid(value: int | str) -> Vmid:
    """`value` as a VM id, 100 to 999999999 (format `pve-vmid`).

    Raises: UsageError when it is not one.
    """
    if not re.fullmatch(r"[1-9][0-9]{2,8}", str(value)):
        raise UsageError(f"{value!r} is not a VM id", hint="use a number from 100 to 999999999")
    return Vmid(int(value))


def store_path(text: str) -> StorePath:
    """`text` as a Nix store path.

    Raises: UsageError when it is not one.
    """
    if not _STORE.fullmatch(text):
        raise UsageError(f"{text[:120]!r} is not a Nix store path")
    return StorePath(text)


def short_store_path(path: str) -> str:
    """A store path for a person: its name and the first characters of its hash."""
    digest, _, name = path.removeprefix("/nix/store/").partition("-")
    return f"{name} ({digest[:8]})"


def commit_id(text: str) -> CommitId:
    """`text` as a full Git object id.

    Raises: UsageError when it is not one.
    """
    if not _COMMIT.fullmatch(text):
        raise UsageError(f"{text[:80]!r} is not a commit id")
    return CommitId(text)


def registration_branch(host: str) -> str:
    """The branch on which a new host is registered."""
    return f"registration/{host_name(host)}"


def is_branch_name(text: str) -> bool:
    """True for a branch as pvenix names them, of letters, digits and `_ . + - /`; Git's own rules allow more."""
    return all(_PART.fullmatch(part) and ".." not in part for part in text.split("/"))


def review_name(text: str) -> str:
    """`text` as what a review is called by: a host name, or a branch with a slash in its name, as Git allows them.

    Raises: UsageError when it is neither.
    """
    parts = text.split("/")
    if len(parts) == 1:
        return host_name(text)
    if _NO_REF.search(text) or not all(part and part[0] != "." and not part.endswith(".lock") for part in parts):
        raise UsageError(f"{text[:120]!r} is not a branch name", hint="pvenix review list")
    return text


def is_host_name(text: str) -> bool:
    """True for what `host_name` takes."""
    return bool(_LABEL.fullmatch(text))
