"""A guest's disk as Proxmox VE copies it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.guest import Guest

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

NOT_ON_DISK = frozenset({"proc", "run"})


def clone_disk(site: Site, source_root: Path, target_root: Path) -> None:
    """Copy a disk as Proxmox VE does: everything, host keys and machine id too (a proper template has none).

    What is no disk (/proc, /run) stays behind. Store paths and Git objects are immutable, so they are shared by hard links.
    """
    for guest in site.guests.values():
        if isinstance(guest, Guest) and guest.root == source_root:
            guest.tree.settle()
    target_root.mkdir(parents=True, exist_ok=True)
    if not source_root.exists():  # a VM that was made without a system and never ran
        return
    top = str(source_root)

    def ignore(directory: str, names: list[str]) -> set[str]:
        return set(names) & NOT_ON_DISK if directory == top else set()

    def place(source: str, target: str) -> str:
        if "/nix/store/" in source or "/.git/objects/" in source:
            Path(target).hardlink_to(source)
            return target
        return shutil.copy2(source, target)

    shutil.copytree(source_root, target_root, symlinks=True, ignore=ignore, copy_function=place, dirs_exist_ok=True)
