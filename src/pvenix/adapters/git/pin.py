"""The one host key that ssh accepts from the repository's host, in a known_hosts file of our own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pvenix.adapters.git.runner import HOST_ALIAS
from pvenix.model.errors import LocalResource, Refused


class HostPin:
    """A known_hosts file that holds `host_key` and nothing else."""

    def __init__(self, path: Path, host_key: str) -> None:
        self.path = path
        self._host_key = host_key

    def write(self) -> None:
        """Put the key into the file; an ssh that reads it meanwhile sees all of it.

        An earlier process may have left the file with another key, so it is looked at before each connection.
        Raises: Refused when no key is pinned, LocalResource when the file cannot be written.
        """
        if not self._host_key.strip():
            raise Refused(
                "the repository's host has no pinned key",
                hint="set repository.host_key in inventory/site.yaml",
                code="PVX0711",
            )
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            line = f"{HOST_ALIAS} {' '.join(self._host_key.split()[:2])}\n".encode("ascii")
            if not self.path.exists() or self.path.read_bytes() != line:
                handle, name = tempfile.mkstemp(dir=folder, prefix=".known_hosts.")
                with os.fdopen(handle, "wb") as file:
                    file.write(line)
                Path(name).replace(self.path)
        except (OSError, UnicodeEncodeError) as error:
            raise LocalResource(f"the cache {folder} cannot be written", why=str(error)) from error
