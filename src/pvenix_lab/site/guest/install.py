"""Put a built system on an empty disk: what installing NixOS and running its boot loader once leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.guest import generations
from pvenix_lab.site.guest.programs import IN_SYSTEM_PATH
from pvenix_lab.site.guest.store import system_path, write_programs, write_system

if TYPE_CHECKING:
    from pvenix_lab.site.guest.store import System
    from pvenix_lab.site.guest.vfs import VirtualRoot

_MODES = {
    "/etc/ssh": 0o755,
    "/home/tappaas": 0o700,
    "/root": 0o700,
    "/run": 0o755,
    "/tmp": 0o1777,  # noqa: S108 - the guest's
    "/var/empty": 0o555,
    "/var/lib": 0o755,
    "/var/log": 0o755,
    "/var/tmp": 0o1777,  # noqa: S108 - the guest's
}

_ALWAYS_THERE = ("/bin/sh", "/usr/bin/env")
"""The only programs outside of the store (nixpkgs: environment.binsh, environment.usrbinenv)."""


def install(tree: VirtualRoot, path: str, system: System, *, now: float) -> None:
    """Make `system`, at store path `path`, generation 1 and the boot default of an empty tree."""
    for directory, mode in _MODES.items():
        tree.mkdir(directory, mode=mode)
    write_programs(tree, IN_SYSTEM_PATH)
    for link in _ALWAYS_THERE:
        tree.symlink(f"{system_path()}/bin/{link.rpartition('/')[2]}", link)
    upgrade(tree, path, system, now=now)


def upgrade(tree: VirtualRoot, path: str, system: System, *, now: float) -> None:
    """Make `system` the next generation and the boot default, as a finished `switch` leaves it; the next boot runs it."""
    write_system(tree, path, system)
    generations.set_profile(tree, path, now=now)
    generations.install_bootloader(tree, path)
