"""A cgroup for each guest, below one for the site, in whichever hierarchies systemd-nspawn looks at."""

from __future__ import annotations

import contextlib
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """Where cgroups are made: the one of version 2; or systemd's own of version 1 with a version 2 beside it."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [path for name in ("systemd", "unified") if (path := _ROOT / name).is_dir()]


def nspawn_settings() -> dict[str, str]:
    """The environment of systemd-nspawn: guests have to be told where this machine has version 1 (systemd 252)."""
    settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    if not (_ROOT / "cgroup.controllers").exists():
        settings["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "0"
    return settings


def make(name: str) -> list[Path]:
    """The files that take the ids of the processes of cgroup `name`."""
    folders = [base / name for base in hierarchies()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return [folder / "cgroup.procs" for folder in folders]


def remove(name: str) -> bool:
    """Remove `name` with everything below; False while a process is left in it."""
    for base in hierarchies():
        below = sorted((path for path in (base / name).rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for folder in (*below, base / name):
            with contextlib.suppress(OSError):  # still in use: what remains is seen below
                folder.rmdir()
    return not any((base / name).exists() for base in hierarchies())


def names(prefix: str) -> set[str]:
    """The cgroups whose name begins so."""
    return {path.name for base in hierarchies() for path in base.glob(f"{prefix}*") if path.is_dir()}
