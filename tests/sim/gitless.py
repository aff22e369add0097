"""git on the simulated guests without processes: the handful of commands that a run sends, over commits in memory.

A simulated run sends some thirty git commands to each guest; as processes they would cost more than everything else
together. `tests/sim/test_gitless.py` runs one scenario with these and with the real git and compares what is seen.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import pytest

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.fabric import fabric_of
from pvenix_lab.site.guest.flake import FlakeTree
from pvenix_lab.site.guest.streams import ByteReader, ByteWriter
from pvenix_lab.site.guest.vfs import VirtualRoot
from tests.contract.memory_repo import MemoryRemote
from tests.sim.memtree import MemoryTree

STATE = ".git/state.json"
FLAKE = "nix"
Streams = tuple[ByteReader, ByteWriter, ByteWriter]


class GitError(Exception):
    """git ends with this text and status 128 or 1."""

    def __init__(self, text: str, status: int = 128) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Clone:
    """One work tree with what its repository knows, kept in a file so that copies of a disk have it too."""

    tree: MemoryTree
    path: str
    head: str
    known: set[str]
    stashes: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, tree: MemoryTree, path: str) -> Clone:
        """The clone at `path`. Raises: GitError when there is none."""
        try:
            data = json.loads(tree.read(f"{path}/{STATE}"))
        except FileNotFoundError:
            raise GitError("fatal: not a git repository (or any of the parent directories): .git") from None
        return cls(tree=tree, path=path, head=data["head"], known=set(data["known"]), stashes=data["stashes"])

    def save(self) -> None:
        """Write the state."""
        state = {"head": self.head, "known": sorted(self.known), "stashes": self.stashes}
        self.tree.put(f"{self.path}/{STATE}", json.dumps(state))


class Gitless:
    """Answers for the guests of one site; commits are those of the remote."""

    def __init__(self, site: Site, remote: MemoryRemote) -> None:
        self._site = site
        self._remote = remote

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Take the place of the real git while the context is open."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(git, "stream", self.stream)
            yield

    async def stream(
        self,
        tree: VirtualRoot,
        arguments: tuple[str, ...],
        streams: Streams,
        *,
        cwd: str = "/etc/nixos",
        extra: Mapping[str, str] | None = None,
        hooks: bool = False,
    ) -> int:
        """One command, as `pvenix_lab.site.guest.git.stream`."""
        del extra, hooks
        _, stdout, stderr = streams
        command, *words = arguments
        try:
            assert isinstance(tree, MemoryTree)
            clone = Clone.load(tree, tree.resolve(cwd))
            text = getattr(self, f"_{command.replace('-', '_')}")(clone, words)
        except GitError as error:
            stderr.write(f"{error}\n".encode())
            return error.status
        stdout.write(text.encode())
        return 0

    # --- commands ---

    def _rev_parse(self, clone: Clone, words: list[str]) -> str:
        if words != ["HEAD"]:
            raise GitError(f"fatal: bad revision {words}")
        return f"{clone.head}\n"

    def _status(self, clone: Clone, words: list[str]) -> str:
        edits = [edit for edit in self._edits(clone) if not ("-uno" in words and edit.startswith("??"))]
        if "--porcelain=v2" not in words:
            return "".join(f"{edit}\n" for edit in edits)
        head = f"# branch.oid {clone.head}\n# branch.head (detached)\n"
        return head + "".join(f"{_second(edit)}\n" for edit in edits)

    def _diff(self, clone: Clone, words: list[str]) -> str:
        """The raw form against a commit; files that HEAD does not have are not looked at."""
        *options, base, end = words
        if options != ["--raw", "-z", "--no-renames", "--no-abbrev"] or end != "--" or base not in clone.known:
            raise GitError(f"fatal: bad revision '{base}'")
        present = {name: data for name, data in clone.tree.files(clone.path) if name in self._files(clone.head)}
        wanted, found = self._files(base), ""
        for name in sorted({*wanted, *present}):
            if present.get(name) != wanted.get(name):
                old, new = ("100644" if name in files else "000000" for files in (wanted, present))
                letter = "M" if name in wanted and name in present else "A" if name in present else "D"
                found += f":{old} {new} {'0' * 40} {'0' * 40} {letter}\0{name}\0"
        return found

    def _ls_files(self, clone: Clone, words: list[str]) -> str:
        if words != ["--others", "--exclude-standard", "-z"]:
            raise GitError(f"fatal: {words}")
        return "".join(f"{edit[3:]}\0" for edit in self._edits(clone) if edit.startswith("??"))

    def _fetch(self, clone: Clone, words: list[str]) -> str:
        quiet, path, refspec = words
        bundle = clone.tree.read(path.removeprefix(str(clone.tree.root)))
        header = bundle.partition(b"PACK")[0].decode().splitlines()
        needed = [line[1:].strip() for line in header if line.startswith("-")]
        tips = [line.split()[0] for line in header[1:] if line and not line.startswith("-")]
        if (
            quiet != "--quiet"
            or not refspec.startswith("+refs/heads/")
            or any(one not in clone.known for one in needed)
        ):
            raise GitError("error: Repository lacks these prerequisite commits:", 1)
        for tip in tips:
            clone.known |= set(self._remote.ancestors(tip))  # type: ignore[arg-type]
        clone.save()
        return ""

    def _checkout(self, clone: Clone, words: list[str]) -> str:
        commit = words[-1]
        if commit not in clone.known:
            raise GitError(f"fatal: unable to read tree ({commit})")
        old, new = self._files(clone.head), self._files(commit)
        touched = {path for path in {*old, *new} if old.get(path) != new.get(path)}
        clash = [edit[3:] for edit in self._edits(clone) if edit[3:] in touched]
        if clash:
            raise GitError(
                "error: Your local changes to the following files would be overwritten by checkout:\n\t"
                + "\n\t".join(clash)
                + "\nPlease commit your changes or stash them before you switch branches.\nAborting",
                1,
            )
        _write(clone.tree, clone.path, old, new)
        clone.head = commit
        clone.save()
        return ""

    def _branch(self, clone: Clone, words: list[str]) -> str:
        if words[0] != "-f" or words[-1] not in clone.known:
            raise GitError(f"fatal: not a valid object name: '{words[-1]}'")
        return ""

    def _stash(self, clone: Clone, words: list[str]) -> str:
        if words[:1] == ["list"]:
            return "".join(f"stash@{{{n}}}: On main: {one}\n" for n, one in enumerate(reversed(clone.stashes)))
        left = [word.removeprefix(":(exclude)") for word in words if word.startswith(":(exclude)")]
        edits = [edit for edit in self._edits(clone) if not any(_below(edit[3:], one) for one in left)]
        message = words[words.index("-m") + 1]
        if not edits:
            return "No local changes to save\n"
        files = self._files(clone.head)
        for edit in edits:
            path = f"{clone.path}/{edit[3:]}"
            clone.tree.remove(path)
            if edit[3:] in files:
                clone.tree.put(path, files[edit[3:]])
        clone.stashes.append(message)
        clone.save()
        return f"Saved working directory and index state On (no branch): {message}\n"

    def _log(self, clone: Clone, words: list[str]) -> str:
        name = words[2].removesuffix("^{commit}")
        commit = clone.head if name == "HEAD" else name
        if commit not in clone.known:
            raise GitError(f"fatal: bad object {commit}")
        stored = self._remote.commits[commit]  # type: ignore[index]
        flake = {path[len(FLAKE) + 1 :]: text for path, text in self._files(commit).items() if path.startswith("nix/")}
        tree = FlakeTree(files=flake, revision=commit, modified_at=stored.at)
        fabric_of(self._site).commits.keep(f"{commit}:{FLAKE}", tree)
        return f"{commit} {stored.at}\n"

    # --- inside ---

    def _files(self, commit: str) -> dict[str, bytes]:
        return {path: content for path, (_, content) in self._remote.commits[commit].files.items()}  # type: ignore[index]

    def _edits(self, clone: Clone) -> list[str]:
        wanted = self._files(clone.head)
        present = {name: data for name, data in clone.tree.files(clone.path) if not name.startswith(".git/")}
        found = []
        for name in sorted({*wanted, *present}):
            if name not in present:
                found.append(f" D {name}")
            elif name not in wanted:
                found.append(f"?? {name}")
            elif present[name] != wanted[name]:
                found.append(f" M {name}")
        return found


def _below(path: str, pathspec: str) -> bool:
    return fnmatchcase(path, pathspec) or path.startswith(f"{pathspec.rstrip('/')}/")


def _second(edit: str) -> str:
    """A line of the second version of git's porcelain format from one of the first."""
    codes, path = edit[:2].replace(" ", "."), edit[3:]
    zero = "0" * 40
    return f"? {path}" if codes == "??" else f"1 {codes} N... 100644 100644 100644 {zero} {zero} {path}"


def check_out(tree: MemoryTree, commit: str, known: Iterable[str], files: Mapping[str, bytes]) -> None:
    """Make /etc/nixos a clone at `commit` that knows these commits."""
    tree.remove("/etc/nixos")
    _write(tree, "/etc/nixos", {}, files)
    Clone(tree=tree, path="/etc/nixos", head=commit, known=set(known)).save()


def _write(tree: MemoryTree, root: str, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
    for name in old.keys() - new.keys():
        tree.remove(f"{root}/{name}")
    for name, content in new.items():
        if old.get(name) != content:
            tree.put(f"{root}/{name}", content)
