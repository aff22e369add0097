"""The root file system under every guest: Debian's systemd, sshd, git and Nix, made from this machine's own apt sources.

Made once and kept in the user's cache, by what is in it: the packages, the release and the month.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "busybox-static", "curl", "dbus", "git", "iproute2", "netcat-openbsd", "nftables", "nix-bin", "openssh-server",
    "procps", "sudo", "systemd-sysv",
)  # fmt: skip
_TARGET: Final = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)|$(ORIGIN)|$(CODENAME)"
_SETTINGS: Final = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http", "Acquire::https")
_UNWANTED: Final = ("etc/hostname", "etc/machine-id", "etc/resolv.conf", "etc/ssh/ssh_host_*", "etc/systemd/system")


def cache_folder() -> Path:
    """Where images are kept, whatever HOME the tests were given."""
    return Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache/pvenix-real"


def base_image(cache: Path) -> Path:
    """The directory of the root file system, made when it is not there.

    Raises: RuntimeError with the last lines of what makes it.
    """
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    content = "\n".join((*PACKAGES, codename, platform.machine(), time.strftime("%Y-%m")))
    root = cache / hashlib.sha256(content.encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            for other in [entry for entry in cache.iterdir() if entry.is_dir()]:
                shutil.rmtree(other)
            _make(root, codename)
    return root


def _make(root: Path, codename: str) -> None:
    with tempfile.TemporaryDirectory(dir=root.parent, prefix="new-") as folder:
        new = Path(folder) / "root"
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        command += [f"--aptopt={setting}" for setting in _settings()]
        done = subprocess.run(
            [*command, codename, str(new), "-"], input=_sources(codename), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"mmdebstrap failed: {done.stderr[-1000:]}")
        for pattern in _UNWANTED:
            for path in new.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (new / "etc/machine-id").touch()
        new.rename(root)


def _sources(codename: str) -> str:
    """Debian's own sources of this machine, a line each; others may need keys that the image has not."""
    found = _lines("apt-get", "indextargets", "--format", _TARGET, "Created-By: Packages")
    lines = {entry.split("|")[0] for entry in found if entry.endswith(f"|Debian|{codename}")}
    if not lines:
        raise RuntimeError(f"no apt source of Debian {codename} here; run apt-get update")
    return "".join(f"{line}\n" for line in sorted(lines))


def _settings() -> list[str]:
    """What this machine's apt was told about reaching its sources, such as a proxy."""
    return [line for line in _lines("apt-config", "dump", "--format", '%F "%v";%n', *_SETTINGS) if '""' not in line]


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
