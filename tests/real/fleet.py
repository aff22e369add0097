"""The fleet of these tests: the layout of the starter fleet, evaluated and built by the real Nix without a network."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.real.machine import HERE

REPOSITORY: Final = HERE.parents[1]
HARDWARE: Final = REPOSITORY / "nix/hardware/dns01-hw.nix"
_IDENTITY: Final = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8",
    "GIT_AUTHOR_NAME": "Op", "GIT_AUTHOR_EMAIL": "op@example.org",
    "GIT_COMMITTER_NAME": "Op", "GIT_COMMITTER_EMAIL": "op@example.org",
}  # fmt: skip


def git(folder: Path, *words: str, env: dict[str, str] | None = None) -> str:
    """Plain git, as somebody else would use it."""
    everything = _IDENTITY | {"PATH": os.environ["PATH"], "HOME": str(folder)} | (env or {})
    done = subprocess.run(["git", *words], cwd=folder, env=everything, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def hardware() -> str:
    """A hardware file as the generator writes it in a Proxmox VM, for the platform of this machine."""
    return HARDWARE.read_text().replace("x86_64-linux", f"{platform.machine()}-linux")


def make_fleet(folder: Path, inventory: Mapping[str, str]) -> str:
    """A checkout at `folder` with these files of the inventory; returns its one commit."""
    shutil.copytree(HERE / "fleet", folder)
    busybox = shutil.which("busybox", path="/bin:/usr/bin")
    assert busybox
    (folder / "nix/tools").mkdir()
    shutil.copy(busybox, folder / "nix/tools/busybox")
    shutil.copy(REPOSITORY / "nix/files/fleet-git-serve", folder / "nix/files/fleet-git-serve")
    (folder / "nix/hardware").mkdir()
    (folder / "nix/hardware/dns01-hw.nix").write_text(hardware())
    for name, text in inventory.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return commit(folder, "The fleet")


def commit(folder: Path, message: str) -> str:
    """Commit everything and return the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def system_of(host: str, commit: str) -> str:
    """The installable as a person would write it."""
    return f'git+file:///etc/nixos?dir=nix&rev={commit}#nixosConfigurations."{host}".config.system.build.toplevel'
