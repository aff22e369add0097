"""Notes on commits: one tree per namespace whose entries are named by commit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pvenix.adapters.git.names import full_ref, is_id
from pvenix.adapters.git.objects import read_blobs
from pvenix.adapters.git.runner import Git
from pvenix.model.names import CommitId


def notes_ref(namespace: str) -> str:
    """The reference of a namespace.

    Raises: UsageError when it is no name.
    """
    return full_ref(f"refs/notes/{namespace}")


async def entries(git: Git, tip: str | None) -> dict[CommitId, tuple[str, str]]:
    """Path and blob of every note; git spreads many notes over folders, so a path is the commit's id with slashes."""
    if tip is None:
        return {}
    done = await git.ask("ls-tree", "-r", "-z", "--full-tree", tip)
    found = {}
    for entry in done.text.split("\0"):
        meta, _, path = entry.partition("\t")
        commit = path.replace("/", "")
        if is_id(commit):
            found[CommitId(commit)] = (path, meta.split(" ")[2])
    return found


async def read_notes(git: Git, tip: str | None) -> dict[CommitId, str]:
    """Every note of a namespace's tip."""
    found = await entries(git, tip)
    blobs = await read_blobs(git, sorted({blob for _, blob in found.values()}))
    return {commit: (blobs[blob] or b"").decode("utf-8", "replace") for commit, (_, blob) in found.items()}


async def tree_with_note(git: Git, tip: str | None, commit: CommitId, text: str) -> str:
    """The tree of `tip` in which `text` is appended to the note of `commit`, after an empty line as `git notes` does."""
    path, blob = (await entries(git, tip)).get(commit, (commit, ""))
    before = ((await read_blobs(git, [blob]))[blob] or b"").decode("utf-8", "replace") if blob else ""
    whole = f"{before.rstrip()}\n\n{text.strip()}\n" if before.strip() else f"{text.strip()}\n"
    new = (await git.ask("hash-object", "-w", "--stdin", "--no-filters", stdin=whole.encode())).text
    with tempfile.TemporaryDirectory(prefix="pvenix-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if tip is not None:
            await git.ask("read-tree", f"{tip}^{{tree}}", env=index)
        await git.ask("update-index", "-z", "--index-info", stdin=f"100644 {new}\t{path}\0".encode(), env=index)
        return (await git.ask("write-tree", env=index)).text
