"""Commits with the ids and packs that git itself would give them, so that bundles made without git are real."""

from __future__ import annotations

import functools
import hashlib
import itertools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pvenix.model.names import CommitId

Files = Mapping[str, tuple[str, bytes]]
"""Mode and content by path."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A commit with the whole tree that it stands for."""

    id: CommitId
    parents: tuple[CommitId, ...]
    files: Files
    author: str
    message: str
    at: int


def object_id(kind: str, body: bytes) -> str:
    """The id that git gives to an object."""
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body).hexdigest()


def tree_objects(files: Files) -> dict[str, tuple[str, bytes]]:
    """Kind and body of every tree and blob of `files`, the root tree last."""
    found: dict[str, tuple[str, bytes]] = {}
    entries: list[tuple[str, str, bytes]] = []
    for name, group in itertools.groupby(sorted(files), key=lambda path: path.partition("/")[0]):
        paths = list(group)
        if paths == [name]:
            mode, content = files[name]
            blob = object_id("blob", content)
            found[blob] = ("blob", content)
            entries.append((name, mode, bytes.fromhex(blob)))
        else:
            below = tree_objects({path.partition("/")[2]: files[path] for path in paths})
            found |= below
            entries.append((f"{name}/", "40000", bytes.fromhex(list(below)[-1])))
    entries.sort()
    body = b"".join(f"{mode} {name.rstrip('/')}\0".encode() + raw for name, mode, raw in entries)
    found.pop(object_id("tree", body), None)
    found[object_id("tree", body)] = ("tree", body)
    return found


def commit_body(commit: Stored) -> bytes:
    """The commit object."""
    tree = list(tree_objects(commit.files))[-1]
    who = f"{commit.author} {commit.at} +0000"
    parents = [f"parent {parent}" for parent in commit.parents]
    return "\n".join([f"tree {tree}", *parents, f"author {who}", f"committer {who}", "", commit.message]).encode()


@functools.lru_cache(maxsize=4096)
def _compressed(body: bytes) -> bytes:
    return zlib.compress(body)


def pack(objects: Mapping[str, tuple[str, bytes]]) -> bytes:
    """A pack file (gitformat-pack, version 2) without deltas."""
    out = b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big")
    for kind, body in objects.values():
        number, size = {"commit": 1, "tree": 2, "blob": 3}[kind], len(body)
        first, size = (number << 4) | (size & 15), size >> 4
        head = [first | (0x80 if size else 0)]
        while size:
            head.append((size & 127) | (0x80 if size >> 7 else 0))
            size >>= 7
        out += bytes(head) + _compressed(body)
    return out + hashlib.sha1(out).digest()


def conflicts_of(base: Files, ours: Files, theirs: Files) -> tuple[str, ...]:
    """The paths that both sides changed, and not to the same."""
    return tuple(
        path
        for path in sorted({*ours, *theirs})
        if len({base.get(path), ours.get(path), theirs.get(path)}) == 3
        or (ours.get(path) != base.get(path) != theirs.get(path) and ours.get(path) != theirs.get(path))
    )
