"""Keeps a site for as long as its standard input stays open, and takes everything of it away afterwards.

The site lives in namespaces of its own: with their first process the kernel ends all others, wires and mounts. What lasts
longer than a process, a folder and cgroups, is removed here; by the next supervisor when this one was killed.

Usage: python -m tests.real.site.supervisor WEB    (number of extra hosts); prints the site's folder, then serves
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.real.machine import scratch
from tests.real.site import cgroups
from tests.real.site.image import base_image, cache_folder
from tests.real.site.source import make_source

PREFIX: Final = "pvenix-site-"
_NAMESPACES: Final = ("--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")


def reap() -> list[str]:
    """Remove what supervisors that were killed left; the names of what was removed."""
    parent = Path(scratch() or tempfile.gettempdir())
    folders = {path.name: path for path in parent.glob(f"{PREFIX}*")}
    gone = [name for name in {*folders, *cgroups.names(PREFIX)} if not _alive(name)]
    for name in gone:
        _remove(name, folders.get(name))
    return gone


def _alive(name: str) -> bool:
    """True while the supervisor that the name tells of runs: its id, and when it was started."""
    pid, _, started = name.removeprefix(PREFIX).partition("-")
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19] if fields[0] != "Z" else ""
    return ""


def child_of(parent: int) -> int:
    """The id of the only child of a process."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if entry.read_text().rpartition(")")[2].split()[1] == str(parent):
                return int(entry.parent.name)
    raise LookupError(f"process {parent} has no child")


def _remove(name: str, folder: Path | None) -> None:
    deadline = time.monotonic() + 20
    while not cgroups.remove(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    if folder is not None:
        shutil.rmtree(folder)


def main() -> None:
    """Start the site, wait for the end of standard input or of the site, take it away."""
    reap()
    base = base_image(cache_folder())
    name = f"{PREFIX}{os.getpid()}-{_started(os.getpid())}"
    folder = Path(scratch() or tempfile.gettempdir()) / name
    folder.mkdir(mode=0o755)
    for file in cgroups.make(name):
        assert file.exists()
    source = make_source(folder / "source", web=int(sys.argv[1]))
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        *_NAMESPACES,
        sys.executable,
        "-m",
        "tests.real.site.hypervisor",
    ]
    with (folder / "log").open("wb") as log:
        site = subprocess.Popen(
            [*command, str(folder / "site"), str(source), str(base), name],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        sys.stdout.write(f"{folder} {site.pid}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        site.kill()
        site.wait()
        _remove(name, folder)


if __name__ == "__main__":
    main()
