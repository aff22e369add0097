"""The serial console of a guest: what firmware, boot loader, initrd and systemd print, and where a boot can get stuck.

Texts are those of OVMF, systemd-boot and nixpkgs' stage-1-init.sh and stage-2-init.sh.
"""

from __future__ import annotations

from collections import deque

from pvenix_lab.site.guest.generations import boot_default
from pvenix_lab.site.guest.hardware import root_module
from pvenix_lab.site.guest.store import System, read_system
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.pve.vm import Vm

_KEPT = 500
_NO_DISK = "BdsDxe: No bootable option or device was found.\nBdsDxe: Press any key to enter the Boot Manager Menu."
_NO_ROOT = """\
waiting for device /dev/disk/by-uuid to appear........................
Timed out waiting for device /dev/disk/by-uuid, trying to mount anyway.
mounting /dev/disk/by-uuid on /...
mount: mounting /dev/disk/by-uuid on /mnt-root/ failed: No such file or directory

An error occurred in stage 1 of the boot process, which must mount the
root filesystem on `/mnt-root' and then start stage 2.  Press one
of the following keys:"""
_PANIC = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"


class StuckError(Exception):
    """The boot goes no further; the text is the last that the console shows."""


class Console:
    """The last lines on the serial console, over reboots."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)

    def write(self, text: str) -> None:
        """Print lines."""
        self.lines.extend(text.splitlines())

    @property
    def text(self) -> str:
        """Everything that is still kept."""
        return "".join(f"{line}\n" for line in self.lines)


def find_system(tree: VirtualRoot, vm: Vm, unbootable: set[str]) -> tuple[str, System]:
    """The system that the boot loader starts, with its path.

    Raises:
        StuckError: nothing to boot, no driver for the root disk in the initrd, no such system on the disk, a kernel that panics.
    """
    path = boot_default(tree)
    if not path:
        raise StuckError(_NO_DISK)
    system = read_system(tree, path)
    if path in unbootable:
        raise StuckError(_PANIC)
    if system is None:
        raise StuckError(f"<<< NixOS Stage 1 >>>\nstage 2 init script (/mnt-root/{path}/init) not found")
    needed = root_module(vm)
    if needed and system.initrd_modules and needed not in system.initrd_modules:
        raise StuckError(f"<<< NixOS Stage 1 >>>\n{_NO_ROOT}")
    return path, system
