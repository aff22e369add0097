"""Which files an inventory is made of, and whether they are still as they were; apart from what parses them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pvenix.fleet.root import FOLDER

CLAIMS: Final = "claims"
"""The folder of claims, beside hosts.yaml and in Crossplane's repositories."""


def inventory_files(root: Path, inventory: Path | None) -> tuple[Path, Path]:
    """The hosts file and the site file; `inventory` names another hosts file, or a directory with hosts.yaml."""
    if inventory is None:
        return root / FOLDER / "hosts.yaml", root / FOLDER / "site.yaml"
    hosts_file = inventory.absolute()
    if hosts_file.is_dir():
        hosts_file /= "hosts.yaml"
    beside = hosts_file.parent / "site.yaml"
    return hosts_file, beside if beside.is_file() else root / FOLDER / "site.yaml"


def claims_folders(hosts_file: Path, root: Path) -> list[Path]:
    """Where claims are: beside `hosts_file`, and where Crossplane's repositories keep them."""
    folders = [hosts_file.parent / CLAIMS]
    return [*folders, root / "crossplane" / CLAIMS] if hosts_file.parent == root / FOLDER else folders


def stamp(root: Path, inventory: Path | None = None) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file of the inventory changes: names, sizes and times of all its files and directories."""
    hosts_file, site_file = inventory_files(root.absolute(), inventory)
    vars_folders = (hosts_file.parent / name for name in ("group_vars", "host_vars"))
    found = []
    for path in (hosts_file, site_file, *vars_folders, *claims_folders(hosts_file, root.absolute())):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
        if path.is_dir():
            found += sorted(_below(str(path)))
    return tuple(found)


def _below(folder: str) -> Iterator[tuple[str, int, int]]:
    """Everything below a folder; a file that goes away meanwhile is as one that was not there."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            status = entry.stat()
        except OSError:
            continue
        yield entry.path, status.st_mtime_ns, status.st_size
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
