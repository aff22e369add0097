"""What keeps a store path alive: references found in its links and texts, roots, closures. Everything read from the disk.

Nix finds references by scanning for the hash part of store paths; so does this (nix: src/libstore/references.cc).
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator

from pvenix_lab.site.guest.store import STORE, nix32
from pvenix_lab.site.guest.vfs import VirtualRoot

_PATH = re.compile(rf"{STORE}/[0-9a-df-np-sv-z]{{32}}-[0-9A-Za-z+._?=-]+")
_PROFILES = "/nix/var/nix/profiles"
_AUTO = "/nix/var/nix/gcroots/auto"
_DERIVERS = "/nix/var/nix/db/derivers"
"""The lab's own in place of the database's column: a file for each store path that was built here."""
_RUNNING = ("/run/booted-system", "/run/current-system")
_SCANNED = 1 << 20


def store_path_of(path: str) -> str:
    """The store path that `path` lies in; empty when it lies elsewhere."""
    parts = path.split("/")
    return "/".join(parts[:4]) if path.startswith(f"{STORE}/") and len(parts) > 3 and parts[3] else ""


def valid(tree: VirtualRoot, path: str) -> bool:
    """True if this is a store path that is there."""
    return store_path_of(path) == path and tree.exists(path, follow_last=False)


def _entries(tree: VirtualRoot, path: str) -> Iterator[str]:
    yield path
    if stat.S_ISDIR(tree.stat(path, follow_last=False).st_mode):
        for name in tree.listdir(path):
            yield from _entries(tree, f"{path}/{name}")


def references(tree: VirtualRoot, path: str) -> set[str]:
    """The store paths that this one names and that are there; itself, where it names itself."""
    found: set[str] = set()
    for entry in _entries(tree, path):
        status = tree.stat(entry, follow_last=False)
        if stat.S_ISLNK(status.st_mode):
            found.add(store_path_of(tree.readlink(entry)))
        elif stat.S_ISREG(status.st_mode) and 0 < status.st_size < _SCANNED:
            found |= set(_PATH.findall(tree.read(entry).decode("utf-8", "replace")))
    return {other for other in found if other and tree.exists(other, follow_last=False)}


def closure(tree: VirtualRoot, paths: Iterable[str]) -> list[str]:
    """The paths with everything that they need, what is needed first (`nix-store -q --requisites`)."""
    done: dict[str, None] = {}

    def visit(path: str, above: frozenset[str]) -> None:
        for other in sorted(references(tree, path) - above - {path}):
            if other not in done:
                visit(other, above | {path})
        done.setdefault(path)

    for path in paths:
        if path not in done:
            visit(path, frozenset())
    return list(done)


def size(tree: VirtualRoot, path: str) -> int:
    """The bytes that deleting the path would free."""
    return sum(tree.stat(entry, follow_last=False).st_size for entry in _entries(tree, path))


def roots(tree: VirtualRoot) -> dict[str, str]:
    """Every root with the store path that it keeps: generations, out-links, the booted and the running system.

    An out-link that is gone is no root any more, and its entry under `auto` is forgotten at the next collection.
    """
    links = [f"{_PROFILES}/{name}" for name in _names(tree, _PROFILES) if name.endswith("-link")]
    links += [tree.readlink(f"{_AUTO}/{name}") for name in _names(tree, _AUTO)]
    links += _RUNNING
    kept = {link: store_path_of(tree.readlink(link)) for link in links if tree.readlink(link)}
    return {link: path for link, path in kept.items() if path and tree.exists(path, follow_last=False)}


def _names(tree: VirtualRoot, path: str) -> list[str]:
    return tree.listdir(path) if tree.is_dir(path) else []


def live_and_dead(tree: VirtualRoot) -> tuple[list[str], list[str]]:
    """The store's paths: those that a root needs, and the others."""
    live = set(closure(tree, sorted(set(roots(tree).values()))))
    known = [f"{STORE}/{name}" for name in _names(tree, STORE) if not name.startswith(".")]
    return [path for path in known if path in live], [path for path in known if path not in live]


def add_root(tree: VirtualRoot, link: str, path: str) -> None:
    """Point the link at a store path, and remember it as a root (nix: LocalFSStore::addIndirectRoot)."""
    tree.symlink(path, link)
    tree.symlink(link, f"{_AUTO}/{nix32(hashlib.sha1(link.encode()).digest())}")  # noqa: S324 - the name that Nix gives it


def stale_roots(tree: VirtualRoot) -> list[tuple[str, str]]:
    """Forget the roots whose link is gone; returns what was forgotten, with the link."""
    links = [(f"{_AUTO}/{name}", tree.readlink(f"{_AUTO}/{name}")) for name in _names(tree, _AUTO)]
    gone = [(entry, link) for entry, link in links if not tree.exists(link, follow_last=False)]
    for entry, _ in gone:
        tree.remove(entry)
    return gone


def set_deriver(tree: VirtualRoot, path: str, derivation: str) -> None:
    """Remember what a store path was built from."""
    tree.put(f"{_DERIVERS}/{path.rpartition('/')[2]}", derivation)


def deriver(tree: VirtualRoot, path: str) -> str:
    """What it was built from; empty for what was not built here."""
    return tree.read_text(f"{_DERIVERS}/{path.rpartition('/')[2]}")


def collect(tree: VirtualRoot) -> list[tuple[str, int]]:
    """Delete what no root needs; returns the paths with the bytes freed."""
    gone = [(path, size(tree, path)) for path in live_and_dead(tree)[1]]
    for path, _ in gone:
        tree.remove(path)
    return gone
