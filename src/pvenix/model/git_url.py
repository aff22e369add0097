"""Where a repository is, from its URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pvenix.model.errors import UsageError

_PATH: Final = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9._+-]*){2,}")
"""Nothing in it is read by a shell, by sshd or by git as anything but a path; the root has no repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitUrl:
    """The parts of `ssh://USER@HOST[:PORT]/PATH`."""

    user: str
    address: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> GitUrl:
        """The parts of `url`.

        Raises: UsageError for a URL of any other form.
        """
        parts = urlsplit(url)
        if parts.scheme == "ssh" and parts.username and parts.hostname and _PATH.fullmatch(parts.path):
            return cls(user=parts.username, address=parts.hostname, port=parts.port or 22, path=parts.path)
        raise UsageError(
            f"{url} does not say on which host the repository is, and where there",
            hint="write repository.url in inventory/site.yaml as ssh://git@HOST/srv/git/NAME.git",
        )
