"""Where this machine keeps what belongs to a fleet."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pvenix.model.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Directories:
    """Two clones of one fleet share them; another site at the same path does not."""

    state: Path
    """Runs, locks and pins."""
    cache: Path
    """The mirror of the fleet's repository; may be deleted at any time."""


def directories_of(site: Site, root: Path) -> Directories:
    """The directories of the fleet that is at `root`, below the person's XDG directories."""
    from platformdirs import user_cache_path, user_state_path

    repository = site.repository
    words = (site.name, repository.url, repository.host_key) if repository else (site.name, str(root))
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
    name = f"{re.sub(r'[^A-Za-z0-9-]', '-', site.name)[:40]}-{digest}"
    return Directories(state=user_state_path("pvenix") / name, cache=user_cache_path("pvenix") / name)
