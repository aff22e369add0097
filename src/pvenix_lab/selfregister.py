"""A fleet whose clones register themselves: one that names the repository's host key gets the lab's, and a template built with it.

The starter fleet names none (`hostKey = null` in nix/site.nix); then pvenix registers hosts over its own connection.
"""

from __future__ import annotations

import re
from pathlib import Path

from pvenix_lab.site.guest.flake import FlakeTree, evaluate_template
from pvenix_lab.site.guest.install import upgrade
from pvenix_lab.site.guest.vfs import VirtualRoot

_NAMED = re.compile(r'^(\s*hostKey = )"[^"]*";', re.MULTILINE)


def name_key(fleet: Path, key: str) -> bool:
    """Write the lab's own key where the fleet names one; False, and nothing written, where it names none."""
    path = fleet / "nix/site.nix"
    text = path.read_text() if path.exists() else ""
    named, count = _NAMED.subn(rf'\g<1>"{key}";', text)
    if count:
        path.write_text(named)
    return count > 0


def renew_template(root: Path, flake: FlakeTree, *, now: float) -> None:
    """Make the template's system of this flake what clones boot."""
    found = evaluate_template(flake)
    upgrade(VirtualRoot(root), found.path, found.system, now=now)
