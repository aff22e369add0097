"""Commits made and read without a working tree."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pvenix.adapters.git.names import file_path
from pvenix.adapters.git.runner import Git
from pvenix.engine.ports import FileChange
from pvenix.model.errors import RemoteFailure, UsageError

TEXT_LIMIT: Final = 1 << 20
"""Bytes of one file of a diff that are read; a larger one counts as binary."""
_GITLINK: Final = "160000"
_IDENTITY: Final = re.compile(r"(?P<name>[^<>\n\0]*[^<>\s\0])\s*<(?P<email>[^<>\s\0]*)>")
_RAW: Final = re.compile(r":(?P<old_mode>\d+) (?P<mode>\d+) (?P<old>[0-9a-f]+) (?P<new>[0-9a-f]+) (?P<status>[A-Z])\d*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A name and an address, as Git wants them."""

    name: str
    email: str

    @classmethod
    def parse(cls, text: str) -> Identity:
        """`Name <address>`.

        Raises: UsageError when it is not of that form.
        """
        match = _IDENTITY.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"{text[:120]!r} is not an author", hint="write: Name <address>")
        return cls(name=match["name"].strip(), email=match["email"])


async def write_tree(git: Git, base: str, files: Mapping[str, str | None]) -> str:
    """The tree of `base` with `files` written (None deletes); an executable file stays one, a symlink becomes a file."""
    modes = await _modes(git, base, list(files))
    lines = []
    for path, content in files.items():
        if content is None:
            lines.append(f"0 {'0' * 40}\t{file_path(path)}\0")
        else:
            blob = (await git.ask("hash-object", "-w", "--stdin", "--no-filters", stdin=content.encode())).text
            lines.append(f"{modes.get(path, '100644')} {blob}\t{file_path(path)}\0")
    with tempfile.TemporaryDirectory(prefix="pvenix-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        await git.ask("read-tree", f"{base}^{{tree}}", env=index)
        if lines:
            await git.ask("update-index", "-z", "--index-info", stdin="".join(lines).encode(), env=index)
        return (await git.ask("write-tree", env=index)).text


async def _modes(git: Git, base: str, paths: Sequence[str]) -> dict[str, str]:
    """`100755` for those of `paths` that are executable at `base`."""
    if not paths:
        return {}
    done = await git.ask("ls-tree", "-z", "--full-tree", base, "--", *(file_path(path) for path in paths))
    rows = [entry.split("\t", 1) for entry in done.text.split("\0") if entry]
    return {path: "100755" for meta, path in rows if meta.startswith("100755 ")}


async def commit_tree(
    git: Git, tree: str, parents: Sequence[str], *, message: str, author: Identity, committer: Identity
) -> str:
    """The id of a new commit object."""
    env = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": committer.name,
        "GIT_COMMITTER_EMAIL": committer.email,
    }
    lineage = [part for parent in parents for part in ("-p", parent)]
    done = await git.ask("commit-tree", *lineage, "-F", "-", tree, stdin=(message.strip() + "\n").encode(), env=env)
    return done.text


async def merge_trees(git: Git, ours: str, theirs: str) -> tuple[str | None, tuple[str, ...]]:
    """The merged tree, or None and the paths in conflict."""
    done = await git.ask(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs, accept=(0, 1)
    )
    tree, *paths = done.stdout.decode("utf-8", "replace").split("\0")
    return (tree, ()) if done.status == 0 else (None, tuple(path for path in paths if path))


async def reverted(git: Git, ours: str, undone: str, since: str | None, *, who: Identity) -> str:
    """The tree of `ours` without what changed from `since`, else from its first parent, to its ancestor `undone`.

    That content is committed on top of `undone` and merged: what both have in common is the commit itself, which is the
    merge that git revert makes, and needs no newer git than other merges do.
    Raises: RemoteFailure, see the port.
    """
    parents = (await git.ask("rev-parse", f"{undone}^@")).text.split()
    if not parents:
        raise RemoteFailure(
            f"{undone[:12]} is the first commit of all", why="there is nothing before it to go back to", code="PVX0706"
        )
    before = (await git.ask("rev-parse", f"{since or parents[0]}^{{tree}}")).text
    back = await commit_tree(git, before, [undone], message=f"Before {undone}", author=who, committer=who)
    tree, conflicts = await merge_trees(git, ours, back)
    if tree is None:
        raise RemoteFailure(
            f"{undone[:12]} cannot be taken back by itself",
            why=f"what it changed was changed again since: conflicts in {', '.join(conflicts[:6])}",
            hint=f"take the later commits back first, or by hand: git revert {undone[:12]}",
            evidence=conflicts,
            code="PVX0717",
        )
    if tree == (await git.ask("rev-parse", f"{ours}^{{tree}}")).text:
        raise RemoteFailure(
            f"nothing of {undone[:12]} is left to take back", hint="pvenix rebuild brings hosts to main", code="PVX0707"
        )
    return tree


async def changes(git: Git, old: str, new: str) -> tuple[FileChange, ...]:
    """What differs between two trees, with the text of both sides; renames are a deletion and an addition."""
    done = await git.ask("diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", old, new)
    parts = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    rows = [(match, path) for head, path in zip(parts[::2], parts[1::2], strict=False) if (match := _RAW.match(head))]
    wanted = {
        match[side]
        for match, _ in rows
        for side, mode in (("old", "old_mode"), ("new", "mode"))
        if match[mode] not in ("000000", _GITLINK)
    }
    blobs = await read_blobs(git, sorted(wanted))
    return tuple(_change(match, path, blobs) for match, path in rows)


def _change(match: re.Match[str], path: str, blobs: Mapping[str, bytes | None]) -> FileChange:
    sides = [_side(match["old_mode"], match["old"], blobs), _side(match["mode"], match["new"], blobs)]
    present = [data for data in sides if data is not _ABSENT]
    binary = any(data is None or b"\0" in data[:8000] for data in present)
    old, new = (
        None if data is _ABSENT else "" if binary or data is None else data.decode("utf-8", "replace") for data in sides
    )
    return FileChange(path=path, old=old, new=new, mode=match["mode"], binary=binary)


_ABSENT: Final = b"\0absent"


def _side(mode: str, blob: str, blobs: Mapping[str, bytes | None]) -> bytes | None:
    if mode == "000000":
        return _ABSENT
    return f"Subproject commit {blob}\n".encode() if mode == _GITLINK else blobs.get(blob)


async def read_blobs(git: Git, ids: Sequence[str]) -> dict[str, bytes | None]:
    """The content of blobs, None for one over TEXT_LIMIT."""
    if not ids:
        return {}
    sizes = await git.ask("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=_lines(ids))
    small = [row[0] for row in (line.split(" ") for line in sizes.text.split("\n")) if int(row[1]) <= TEXT_LIMIT]
    found: dict[str, bytes | None] = dict.fromkeys(ids)
    if small:
        rest = (await git.ask("cat-file", "--batch=%(objectname) %(objectsize)", stdin=_lines(small))).stdout
        for _ in small:
            head, _, rest = rest.partition(b"\n")
            name, size = head.decode().split(" ")
            found[name], rest = rest[: int(size)], rest[int(size) + 1 :]
    return found


def _lines(ids: Sequence[str]) -> bytes:
    return ("\n".join(ids) + "\n").encode()


async def bundle(git: Git, commit: str, ref: str, have: str | None) -> bytes:
    """A bundle (gitformat-bundle, version 2) that sets `ref` to `commit`, without the history of `have`.

    `git bundle create` names references of the repository it runs in and refuses an empty one; here neither is wanted.
    """
    wanted = [commit, *([f"^{have}"] if have else [])]
    pack = await git.ask("pack-objects", "--quiet", "--revs", "--stdout", "--thin", "--delta-base-offset",
                         stdin=_lines(wanted))  # fmt: skip
    header = ["# v2 git bundle", *([f"-{have} "] if have else []), f"{commit} {ref}", "", ""]
    return "\n".join(header).encode() + pack.stdout
