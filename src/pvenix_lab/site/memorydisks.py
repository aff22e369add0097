"""The disks of a large site while it is built: in memory, until somebody needs their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pvenix_lab.site.disk import NOT_ON_DISK, clone_disk
from pvenix_lab.site.guest.memfiles import MemoryFiles
from pvenix_lab.site.guest.memnodes import Dir, load
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.whole import new_guest

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.guest.guest import Guest
    from pvenix_lab.site.pve.vm import Vm

MANY = 20
"""Extra hosts above which a site is built this way: a hundred guests have twenty thousand files that few will look at."""


class MemoryDisks:
    """Guests and clones for a `Site`; once the site is `built`, clones are made of files as always."""

    def __init__(self) -> None:
        self.built = False
        self._tops: dict[Path, Dir] = {}
        self._patterns: dict[Path, Dir] = {}

    def guest(self, site: Site, vm: Vm, root: Path) -> Guest:
        """The guest of `vm`, off."""
        tree = VirtualRoot(root, MemoryFiles(self.take(root), site.wall)) if root in self._tops else None
        return new_guest(site, vm, root, tree=tree)

    def take(self, root: Path) -> Dir:
        """The disk that was cloned for this place, once."""
        return self._tops.pop(root)

    def clone(self, site: Site, source: Path, target: Path) -> None:
        """Copy a disk, as `clone_disk` does."""
        if self.built:
            clone_disk(site, source, target)
            return
        if source not in self._patterns:
            self._patterns[source] = load(source)
        self._tops[target] = self._patterns[source].copy(without=NOT_ON_DISK)
