"""A guest's disk: a layer of its own over the one root file system that all share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.real.site import cgroups

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk in the folder `root`; `base` is the file system under it."""

    root: Path
    base: Path

    @property
    def layer(self) -> Path:
        """What differs from the base: all that a copy has to copy."""
        return self.root / "layer"

    @property
    def mounted(self) -> Path:
        """Where the whole is, while it is mounted."""
        return self.root / "disk"

    def mount(self) -> Path:
        """Mount it unless it is, and return where."""
        if not self.mounted.is_mount():
            for folder in (self.layer, self.root / "work", self.mounted):
                folder.mkdir(parents=True, exist_ok=True)
            options = f"lowerdir={self.base},upperdir={self.layer},workdir={self.root}/work"
            subprocess.run(["mount", "-t", "overlay", "-o", options, "guest", str(self.mounted)], check=True)
        return self.mounted

    def unmount(self) -> None:
        """Unmount it; what still uses it keeps it until it ends."""
        if self.mounted.is_mount():
            subprocess.run(["umount", "--lazy", str(self.mounted)], check=True)

    def copy_to(self, other: Disk) -> None:
        """Make the other disk, which is not mounted, equal to this one."""
        other.root.mkdir(parents=True, exist_ok=True)
        if other.layer.exists():
            shutil.rmtree(other.layer)
        self.layer.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.layer), str(other.layer)], check=True)

    def run(self, *argv: str, text: str = "") -> str:
        """The output of a program in the disk of a guest that is off, as root."""
        # Not chroot: Nix goes back to the mount namespace that it was started in when it runs git, and so out of a chroot.
        done = subprocess.run(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "--as-pid2", "--link-journal=no",
             "--resolv-conf=off", "--timezone=off", f"--directory={self.mount()}", f"--setenv=PATH={_PATH}", *argv],
            input=text, capture_output=True, text=True, check=False, cwd="/", env=cgroups.nspawn_settings(),
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of a guest that is off; folders are made."""
        file = self.mount() / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def boot_default(self) -> str:
        """The system that the boot loader starts."""
        loader = self.mount() / "boot/loader"
        entry = _value((loader / "loader.conf").read_text(), "default")
        return _value((loader / "entries" / entry).read_text(), "options").removeprefix("init=").removesuffix("/init")


def _value(text: str, key: str) -> str:
    lines: Sequence[str] = text.splitlines()
    return next(line.removeprefix(key).strip() for line in lines if line.startswith(f"{key} "))
