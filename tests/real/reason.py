"""Why the real lane cannot run here, in one place: `pytest -rs` shows it, PVENIX_REAL=required makes it a failure."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path
from typing import Final

_PROGRAMS: Final = {
    "systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "unshare": "util-linux",
    "nsenter": "util-linux", "setpriv": "util-linux", "git": "git", "ssh": "openssh-client", "/bin/busybox": "busybox-static",
}  # fmt: skip


@functools.cache
def why_not() -> str:
    """Why there can be no site of containers on this machine; empty when there can."""
    if sys.platform != "linux":
        return "containers need Linux"
    if os.geteuid() != 0:
        return "containers with a systemd of their own need root"
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    absent = sorted({package for program, package in _PROGRAMS.items() if shutil.which(program, path=path) is None})
    if absent:
        return f"not installed: {', '.join(absent)}"
    if not Path("/etc/apt").is_dir():
        return "the guests' root file system is made from apt sources, and this machine has none"
    hierarchies = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd")]
    if not any((path / "cgroup.procs").exists() and os.access(path, os.W_OK) for path in hierarchies):
        return "this machine's cgroups cannot be written to"
    return ""
