"""The disks of a simulated site: in memory, and nobody looks at them from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import NOT_ON_DISK
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.memfiles import MemoryFiles
from pvenix_lab.site.guest.memnodes import Dir
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.pve.vm import Vm
from pvenix_lab.site.whole import new_guest


class MemoryTree(VirtualRoot):
    """A tree that stays in memory; `real` gives paths where nothing is."""

    def __init__(self, root: Path, top: Dir, clock: Callable[[], float]) -> None:
        self.memory = MemoryFiles(top, clock)
        super().__init__(root, self.memory)

    @override
    def settle(self) -> None:
        """Nobody looks: see `gitless`."""

    def files(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Every plain file below a directory: its path from there, and what is in it."""
        return self.memory.files(path)


@dataclass
class Disks:
    """The disks of one site by the directory in which the lab would keep them."""

    tops: dict[Path, Dir] = field(default_factory=dict)

    def guest(self, site: Site, vm: Vm, root: Path) -> Guest:
        """A guest of the site, its disk in memory."""
        return new_guest(site, vm, root, tree=MemoryTree(root, self.tops.setdefault(root, Dir()), site.wall))

    def clone(self, site: Site, source: Path, target: Path) -> None:
        """Copy a disk, as `pvenix_lab.site.disk.clone_disk` does."""
        del site
        target.mkdir(parents=True, exist_ok=True)  # the site looks there to see whether there is a disk
        copied = self.tops[source].copy(without=NOT_ON_DISK)
        there = self.tops.setdefault(target, Dir())  # a guest that has this disk keeps it
        there.children, there.mode = copied.children, copied.mode
