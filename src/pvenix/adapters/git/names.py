"""What may be called a branch, a reference or a revision; checked before it becomes an argument."""

from __future__ import annotations

import re
from typing import Final

from pvenix.model.errors import UsageError

_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMPONENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
HEADS: Final = "refs/heads/"


def is_id(rev: str) -> bool:
    """True for a full object id."""
    return bool(_ID.fullmatch(rev))


def branch_ref(branch: str) -> str:
    """The full reference of a branch.

    Raises: UsageError for a name outside letters, digits and `_ . + - /` (git's own rules allow more).
    """
    return HEADS + _checked(branch)


def full_ref(ref: str) -> str:
    """`ref` itself when it starts with `refs/`, otherwise the branch of that name.

    Raises: UsageError for any other text.
    """
    return "refs/" + _checked(ref.removeprefix("refs/")) if ref.startswith("refs/") else branch_ref(ref)


def revision(rev: str) -> str:
    """`rev` as an unmistakable revision: a full object id, or a branch as its full reference.

    Raises: UsageError for any other text.
    """
    return rev if is_id(rev) else full_ref(rev)


def file_path(path: str) -> str:
    """`path` as the path of a file inside the repository.

    Raises: UsageError for one that leaves it or names Git's own directory.
    """
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise UsageError(f"{path[:120]!r} is not a path inside the repository")
    return path


def _checked(name: str) -> str:
    parts = name.split("/")
    if not all(_COMPONENT.fullmatch(part) and not part.endswith((".lock", ".")) and ".." not in part for part in parts):
        raise UsageError(f"{name[:120]!r} is not a branch name", hint="use letters, digits and _ . + - /")
    return name
