"""The branches against the main branch, from a handful of git processes whatever their number.

One walk gives the graph; ahead, behind and merge base follow from it here; one diff-tree and one merge-tree answer for
all branches at once (25 times less than asking git branch by branch, at 500 branches).
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pvenix.adapters.git.names import HEADS
from pvenix.adapters.git.runner import Git
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import Branch, Commit
from pvenix.model.names import CommitId

_FORMAT: Final = "%(refname)%00%(objectname)%00%(tree)%00%(authorname)%00%(committerdate:unix)%00%(contents:subject)"
_ON_TIP: Final = 1
_ON_MAIN: Final = 2
_COMMON: Final = _ON_TIP | _ON_MAIN
_STALE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A branch as `for-each-ref` gives it."""

    name: str
    tip: Commit
    tree: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Commits with their parents and trees, ordered so that children come before parents."""

    order: Mapping[str, int]
    parents: Mapping[str, tuple[str, ...]]
    trees: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A tip against the main branch; `base` is None for histories without a common commit."""

    ahead: int
    behind: int
    base: str | None


def utc(seconds: str) -> str:
    """Unix seconds as UTC in ISO 8601."""
    return datetime.fromtimestamp(int(seconds or 0), UTC).isoformat().removesuffix("+00:00") + "Z"


async def heads(git: Git) -> tuple[Head, ...]:
    """Every branch of the mirror."""
    done = await git.ask("for-each-ref", f"--format={_FORMAT}", HEADS)
    return tuple(_head(line) for line in done.text.split("\n") if line)


def _head(line: str) -> Head:
    ref, commit, tree, author, at, subject = line.split("\0")
    tip = Commit(id=CommitId(commit), author=sanitise(author), at=utc(at), subject=sanitise(subject))
    return Head(name=ref.removeprefix(HEADS), tip=tip, tree=tree)


async def graph(git: Git, tips: Iterable[str]) -> Graph:
    """All history of `tips`."""
    wanted = "\n".join(tips) + "\n"
    done = await git.ask("rev-list", "--topo-order", "--format=%H %T %P", "--stdin", stdin=wanted.encode())
    rows = [line.split(" ") for line in done.text.split("\n") if line and not line.startswith("commit ")]
    return Graph(
        order={row[0]: index for index, row in enumerate(rows)},
        parents={row[0]: tuple(parent for parent in row[2:] if parent) for row in rows},
        trees={row[0]: row[1] for row in rows},
    )


def relation(known: Graph, main: str, tip: str) -> Relation:
    """Walk both histories from the newest commit until only common ones are left (git's paint down to common)."""
    colours = {tip: _ON_TIP}
    colours[main] = colours.get(main, 0) | _ON_MAIN
    queue = [(known.order[commit], commit) for commit in colours]
    heapq.heapify(queue)
    ahead = behind = 0
    base: str | None = None
    while any_open(queue, colours):
        commit = heapq.heappop(queue)[1]
        colour = colours[commit]
        if colour == _ON_TIP:
            ahead += 1
        elif colour == _ON_MAIN:
            behind += 1
        elif base is None:
            base = commit
        passed = colour | (_STALE if colour & _COMMON == _COMMON else 0)
        for parent in known.parents[commit]:
            if parent not in colours:
                heapq.heappush(queue, (known.order[parent], parent))
            colours[parent] = colours.get(parent, 0) | passed
    return Relation(ahead=ahead, behind=behind, base=base or next(iter(_common(queue, colours)), None))


def any_open(queue: Sequence[tuple[int, str]], colours: Mapping[str, int]) -> bool:
    """True while a commit waits that is not known to be common."""
    return any(colours[commit] & _COMMON != _COMMON for _, commit in queue)


def _common(queue: Sequence[tuple[int, str]], colours: Mapping[str, int]) -> list[str]:
    return [commit for _, commit in sorted(queue) if colours[commit] & _COMMON == _COMMON]


async def changed_paths(git: Git, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The paths that differ, for each pair of trees."""
    if not pairs:
        return []
    wanted = "".join(f"{old} {new}\n" for old, new in pairs)
    done = await git.ask("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", stdin=wanted.encode())
    fields = iter(done.stdout.decode("utf-8", "replace").split("\0"))
    found: list[list[str]] = []
    # A file's modes and its name take turns, and a pair stands before the modes only: no name can pass for a pair.
    for field in fields:
        *headers, modes = field.split("\n")
        found += [[] for _ in headers]
        if modes:
            found[-1].append(next(fields))
    return [tuple(paths) for paths in found]


async def mergeable(git: Git, pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """True for each pair of commits that merge without a conflict; they must have a common commit."""
    if not pairs:
        return []
    wanted = "".join(f"{main} {tip}\n" for main, tip in pairs)
    with tempfile.TemporaryDirectory(prefix="pvenix-verdicts-") as scratch:
        # The merged trees are written beside the mirror: only the verdict is wanted, and nothing collects garbage there.
        done = await git.ask(
            "merge-tree", "--write-tree", "--stdin", "--name-only", "--no-messages",
            stdin=wanted.encode(), accept=(0, 1),
            env={
                "GIT_OBJECT_DIRECTORY": scratch,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(git.directory / "objects"),
            },
        )  # fmt: skip
    verdicts, fields = [], iter(done.stdout.decode("utf-8", "replace").split("\0"))
    for status in fields:
        if status:
            verdicts.append(status == "1")
            while next(fields, ""):
                pass  # the tree, then the paths in conflict, then an empty field
    return verdicts


class Listing:
    """Branches of a mirror. What depends on object ids only is remembered."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._known: dict[tuple[str, str], tuple[Relation, tuple[str, ...], bool]] = {}

    async def branches(self, main_branch: str, prefix: str) -> tuple[Branch, ...]:
        """Every branch but the main one whose name starts with `prefix`, by name."""
        found = await heads(self._git)
        main = next((head for head in found if head.name == main_branch), None)
        if main is None:
            return ()
        wanted = [head for head in found if head.name.startswith(prefix) and head is not main]
        await self._learn(main, [head for head in wanted if (main.tip.id, head.tip.id) not in self._known])
        return tuple(self._branch(main, head) for head in wanted)

    async def _learn(self, main: Head, new: Sequence[Head]) -> None:
        if not new:
            return
        known = await graph(self._git, {main.tip.id, *(head.tip.id for head in new)})
        relations = [relation(known, main.tip.id, head.tip.id) for head in new]
        empty = (await self._git.ask("mktree")).text
        trees = [
            (known.trees[found.base] if found.base else empty, head.tree)
            for found, head in zip(relations, new, strict=True)
        ]
        paths = await changed_paths(self._git, trees)
        open_questions = [
            (main.tip.id, head.tip.id)
            for found, head in zip(relations, new, strict=True)
            if found.base and found.ahead and found.behind
        ]
        verdicts = dict(zip(open_questions, await mergeable(self._git, open_questions), strict=True))
        for found, head, changed in zip(relations, new, paths, strict=True):
            pair = (main.tip.id, head.tip.id)
            self._known[pair] = (found, changed, verdicts.get(pair, found.base is not None))

    def _branch(self, main: Head, head: Head) -> Branch:
        found, paths, merges = self._known[main.tip.id, head.tip.id]
        return Branch(
            name=head.name,
            tip=head.tip,
            ahead=found.ahead,
            behind=found.behind,
            paths=tuple(sanitise(path) for path in paths),
            mergeable=merges,
        )
