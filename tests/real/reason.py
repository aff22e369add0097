"""Why the real lane cannot run here, in one place: `pytest -rs` shows it, PVENIX_REAL=required makes it a failure."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.real.machine import scratch

PROGRAMS: Final = {
    "/usr/sbin/sshd": "openssh-server", "ssh": "openssh-client", "nix": "nix-bin", "git": "git", "sudo": "sudo",
    "unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux", "pivot_root": "util-linux",
    "ip": "iproute2", "systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap",
    "/bin/busybox": "busybox-static",
}  # fmt: skip
"""What the lane calls on this machine, and Debian's package of it."""
_NAMESPACES: Final = ("unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork")
_LAYER: Final = 'cd "$0" && mkdir lower upper work disk && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work layer disk'


@functools.cache
def why_not() -> str:
    """Why there can be no real guest on this machine; empty when there can."""
    if sys.platform != "linux":
        return "containers need Linux"
    if os.geteuid() != 0:
        return "containers with a systemd of their own need root"
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    absent = sorted({package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None})
    if absent:
        return f"not installed: {', '.join(absent)}"
    if not Path("/etc/apt").is_dir():
        return "the guests' root file system is made from apt sources, and this machine has none"
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        layer = (*_NAMESPACES, "sh", "-c", _LAYER, folder)
        probe = subprocess.run(layer, check=False, capture_output=True, text=True)
    if probe.returncode:
        return f"this machine allows no namespaces with layered disks: {probe.stderr.strip()}"
    hierarchies = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"))
    if not any((folder / "cgroup.procs").exists() and os.access(folder, os.W_OK) for folder in hierarchies):
        return "this machine's cgroups cannot be written to"
    return ""
