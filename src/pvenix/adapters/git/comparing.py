"""What commits changed, and why two of them do not merge: few git processes, whatever the number of commits and files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pvenix.adapters.git import objects
from pvenix.adapters.git.runner import Git
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import Clash, FileChange
from pvenix.model.names import CommitId

_STAGE: Final = re.compile(r"\d+ (?P<blob>[0-9a-f]+) (?P<stage>[123])\t(?P<path>.*)", re.DOTALL)


async def changes_of(git: Git, commit: str) -> tuple[FileChange, ...]:
    """What a commit changed against its first parent; the first commit of all against nothing."""
    parents = (await git.ask("rev-parse", f"{commit}^@")).text.split()
    before = parents[0] if parents else (await git.ask("mktree")).text
    return await objects.changes(git, before, commit)


async def touched(git: Git, commits: Sequence[CommitId]) -> Mapping[CommitId, tuple[str, ...]]:
    """The paths that each commit changed against its first parent."""
    found: dict[CommitId, tuple[str, ...]] = dict.fromkeys(commits, ())
    if not commits:
        return found
    done = await git.ask(
        "diff-tree", "--stdin", "-r", "-z", "--name-only", "--root", "--diff-merges=first-parent", "--no-renames",
        "--format=%x00%H", stdin=("\n".join(commits) + "\n").encode(),
    )  # fmt: skip
    # a commit begins with an empty field, which no path is; its paths follow its id, the first one behind a newline
    for part in done.stdout.decode("utf-8", "replace").split("\0\0"):
        commit, *paths = part.removeprefix("\0").split("\0")
        if commit in found:
            first = [path.removeprefix("\n") for path in paths[:1]]
            found[CommitId(commit)] = tuple(sanitise(path) for path in (*first, *paths[1:]) if path)
    return found


async def clashes(git: Git, ours: str, theirs: str) -> tuple[str, tuple[Clash, ...]]:
    """The tree of both, with conflict markers where they do not go together, and the files where that is."""
    done = await git.ask("merge-tree", "--write-tree", "--no-messages", "-z", ours, theirs, accept=(0, 1))
    tree, *rows = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    stages: dict[str, dict[str, str]] = {}
    for row in rows:
        if match := _STAGE.fullmatch(row):
            stages.setdefault(match["path"], {})[match["stage"]] = match["blob"]
    if not stages:
        return tree, ()
    marked = await _blobs_at(git, tree, list(stages))
    texts = await objects.read_blobs(
        git, sorted({*marked.values(), *(b for each in stages.values() for b in each.values())})
    )

    def text(blob: str | None) -> str | None:
        return None if blob is None else (texts[blob] or b"").decode("utf-8", "replace")

    return tree, tuple(
        Clash(
            path=path,
            base=text(found.get("1")),
            ours=text(found.get("2")),
            theirs=text(found.get("3")),
            marked=text(marked.get(path)) or "",
        )
        for path, found in stages.items()
    )


async def _blobs_at(git: Git, tree: str, paths: Sequence[str]) -> dict[str, str]:
    done = await git.ask("ls-tree", "-r", "-z", "--full-tree", tree, "--", *paths)
    rows = [entry.split("\t", 1) for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry]
    return {path: meta.split(" ")[2] for meta, path in rows}
