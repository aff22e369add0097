"""What every Repo must do, over git and in memory."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from pvenix.adapters.git.repo import GitRepo
from pvenix.engine.ports import Repo
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from pvenix.model.names import CommitId
from tests.contract.memory_repo import MemoryRemote, MemoryRepo

BASE = {"nix/flake.nix": "{ }\n", "inventory/hosts.yaml": "all:\n  hosts:\n", "README": "x\n"}
AUTHOR = "Op <op@example.org>"


class World(Protocol):
    """Two people with a repository each, on one remote."""

    repo: Repo
    other: Repo
    folder: Path

    def break_remote(self) -> None: ...
    def forbid(self, ref: str) -> None: ...


@dataclass
class MemoryWorld:
    repo: Repo
    other: Repo
    folder: Path
    remote: MemoryRemote

    def break_remote(self) -> None:
        self.remote.reachable = False

    def forbid(self, ref: str) -> None:
        self.remote.refuse = lambda pushed: "fleet: refused: not you" if pushed == ref else None


@dataclass
class GitWorld:
    repo: Repo
    other: Repo
    folder: Path
    bare: Path

    def break_remote(self) -> None:
        self.bare.rename(self.bare.with_name("gone"))

    def forbid(self, ref: str) -> None:
        hook = self.bare / "hooks" / "update"
        hook.write_text(f'#!/bin/sh\ntest "$1" = "{ref}" || exit 0\necho "fleet: refused: not you" >&2\nexit 1\n')
        hook.chmod(0o755)


def git(*args: str, cwd: Path, stdin: bytes = b"") -> str:
    """Plain git, as somebody else would use it."""
    env = {
        "PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Op", "GIT_AUTHOR_EMAIL": "op@example.org",
        "GIT_COMMITTER_NAME": "Op", "GIT_COMMITTER_EMAIL": "op@example.org",
    }  # fmt: skip
    done = subprocess.run(["git", *args], cwd=cwd, env=env, input=stdin, check=True, capture_output=True)
    return done.stdout.decode().strip()


def seed_bare(bare: Path, files: Mapping[str, str]) -> None:
    """A bare repository with one commit on main."""
    bare.mkdir(parents=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", ".", cwd=bare)
    stream = "commit refs/heads/main\ncommitter Op <op@example.org> 1750000000 +0000\ndata 5\nseed\n"
    for path, text in files.items():
        stream += f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
    git("fast-import", "--quiet", cwd=bare, stdin=stream.encode())


@pytest.fixture(params=["memory", "git"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        remote = MemoryRemote()
        files = {path: ("100644", text.encode()) for path, text in BASE.items()}
        remote.refs["refs/heads/main"] = remote.store(files, [], AUTHOR, "seed")
        yield MemoryWorld(MemoryRepo(remote), MemoryRepo(remote), tmp_path, remote)
        return
    bare = tmp_path / "fleet.git"
    seed_bare(bare, BASE)
    repos = [GitRepo(url=str(bare), branch="main", cache_dir=tmp_path / name, author=AUTHOR) for name in "ab"]
    yield GitWorld(repos[0], repos[1], tmp_path, bare)
    for repo in repos:
        await repo.close()


async def test_the_main_branch_is_read_without_asking_for_a_fetch_first(world: World) -> None:
    main = await world.repo.main()
    assert await world.repo.fetch() == main
    assert await world.repo.tip("main") == main
    assert await world.repo.tip("registration/dns01") is None
    assert await world.repo.read(main, "nix/flake.nix") == "{ }\n"
    assert await world.repo.read("main", "README") == "x\n"
    assert await world.repo.read(main, "nix/none.nix") is None
    assert await world.repo.read(main, "nix") is None
    assert await world.repo.files(main) == ("README", "inventory/hosts.yaml", "nix/flake.nix")
    assert await world.repo.files(main, "nix") == ("nix/flake.nix",)
    assert await world.repo.files(main, "none") == ()


async def test_a_commit_is_on_the_remote_when_it_returns(world: World) -> None:
    main = await world.repo.fetch()
    branch = "registration/dns01"
    commit = await world.repo.commit(
        branch, main, {"nix/hosts/dns01.nix": "{ é }\n", "README": None}, message="Register dns01\n\nwhy"
    )
    await world.other.fetch()
    assert await world.other.tip(branch) == await world.repo.tip(branch) == commit
    assert await world.other.read(commit, "nix/hosts/dns01.nix") == "{ é }\n"
    assert await world.other.read(branch, "README") is None
    newest, seed = await world.other.log(branch)
    assert (newest.id, newest.author, newest.subject) == (commit, "Op", "Register dns01")
    assert newest.at.endswith("Z")
    assert seed.id == main
    assert await world.other.contains(commit, main)
    assert not await world.other.contains(main, commit)


async def test_an_author_may_be_named(world: World) -> None:
    main = await world.repo.fetch()
    commit = await world.repo.commit("topic", main, {"a": "1"}, message="x", author="Ada Lovelace <ada@example.org>")
    assert (await world.repo.log(commit, limit=1))[0].author == "Ada Lovelace"


async def test_the_same_content_again_is_the_same_commit(world: World) -> None:
    main = await world.repo.fetch()
    first = await world.repo.commit("topic", main, {"a": "1"}, message="x")
    assert await world.repo.commit("topic", main, {"a": "1"}, message="again") == first
    assert await world.other.commit("topic", await world.other.main(), {"a": "1"}, message="by another") == first
    assert await world.repo.commit("topic", first, {"a": "1"}, message="on top") == first
    assert await world.repo.commit("topic", first, {}, message="nothing") == first
    assert len(await world.repo.log("topic")) == 2


async def test_a_branch_without_a_change_of_its_own_is_at_its_base(world: World) -> None:
    main = await world.repo.fetch()
    assert await world.repo.commit("topic", main, {"README": "x\n"}, message="nothing") == main
    assert await world.repo.tip("topic") == main


async def test_a_branch_that_moved_is_not_overwritten(world: World) -> None:
    main = await world.repo.fetch()
    await world.other.fetch()
    theirs = await world.other.commit("topic", main, {"a": "theirs"}, message="x")
    with pytest.raises(RemoteFailure) as moved:
        await world.repo.commit("topic", main, {"a": "ours"}, message="y")
    assert moved.value.code == "PVX0701"
    assert await world.repo.fetch() == main
    assert await world.repo.tip("topic") == theirs
    ours = await world.repo.commit("topic", theirs, {"a": "ours"}, message="y")
    assert await world.repo.contains(ours, theirs)


async def test_the_remote_may_forbid_a_branch_and_says_why(world: World) -> None:
    main = await world.repo.fetch()
    world.forbid("refs/heads/topic")
    with pytest.raises(Refused) as refusal:
        await world.repo.commit("topic", main, {"a": "1"}, message="x")
    assert "fleet: refused: not you" in refusal.value.why
    assert await world.repo.tip("topic") is None
    assert await world.repo.commit("other", main, {"a": "1"}, message="x")


async def test_a_merge_goes_forward_when_it_can_and_is_done_once(world: World) -> None:
    main = await world.repo.fetch()
    commit = await world.repo.commit("topic", main, {"a": "1"}, message="x")
    assert await world.repo.merge(commit, into="main", message="Merge") == commit
    assert await world.repo.merge(commit, into="main", message="Merge") == commit
    assert await world.other.fetch() == commit


async def test_a_merge_joins_two_histories(world: World) -> None:
    main = await world.repo.fetch()
    topic = await world.repo.commit("topic", main, {"a": "1"}, message="x")
    await world.other.fetch()
    moved = await world.other.commit("main", main, {"b": "2"}, message="y")
    merged = await world.repo.merge(topic, into="main", message="Merge a")
    assert merged not in (topic, moved)
    assert await world.other.fetch() == merged
    assert (await world.other.read(merged, "a"), await world.other.read(merged, "b")) == ("1", "2")
    assert await world.other.contains(merged, topic)
    assert await world.other.contains(merged, moved)
    assert (await world.other.log(merged, limit=1))[0].subject == "Merge a"


async def test_a_conflict_is_told_and_nothing_moves(world: World) -> None:
    main = await world.repo.fetch()
    topic = await world.repo.commit("topic", main, {"README": "ours"}, message="x")
    moved = await world.repo.commit("main", main, {"README": "theirs"}, message="y")
    with pytest.raises(RemoteFailure) as conflict:
        await world.repo.merge(topic, into="main", message="Merge")
    assert conflict.value.code == "PVX0702"
    assert "README" in conflict.value.why
    assert await world.other.fetch() == moved


async def test_what_is_merged_is_the_commit_and_not_what_the_branch_became(world: World) -> None:
    main = await world.repo.fetch()
    reviewed = await world.repo.commit("topic", main, {"a": "1"}, message="x")
    later = await world.repo.commit("topic", reviewed, {"a": "evil"}, message="y")
    merged = await world.repo.merge(reviewed, into="main", message="Merge")
    assert await world.repo.read(merged, "a") == "1"
    assert not await world.repo.contains(merged, later)


async def test_branches_are_listed_against_main(world: World) -> None:
    main = await world.repo.fetch()
    clean = await world.repo.commit("registration/a", main, {"nix/hosts/a.nix": "1"}, message="A")
    clean = await world.repo.commit("registration/a", clean, {"nix/hosts/b c.nix": "1"}, message="B")
    await world.repo.commit("registration/b", main, {"README": "b"}, message="conflicting")
    moved = await world.repo.commit("main", main, {"README": "main"}, message="moved")
    await world.repo.commit("registration/c", moved, {"c": "1"}, message="C")
    await world.repo.push_ref("registration/d", moved, expect=None)
    await world.repo.commit("edit/x", main, {"x": "1"}, message="X")
    found = {branch.name: branch for branch in await world.repo.branches("registration/")}
    shown = {name: (b.ahead, b.behind, b.paths, b.mergeable) for name, b in found.items()}
    assert shown == {
        "registration/a": (2, 1, ("nix/hosts/a.nix", "nix/hosts/b c.nix"), True),
        "registration/b": (1, 1, ("README",), False),
        "registration/c": (1, 0, ("c",), True),
        "registration/d": (0, 0, (), True),
    }
    assert found["registration/a"].tip.id == clean
    assert found["registration/a"].tip.subject == "B"
    assert [branch.name for branch in await world.repo.branches()] == ["edit/x", *shown]
    assert await world.repo.branches("registration/") == tuple(found.values())


async def test_a_diff_is_against_the_merge_base(world: World) -> None:
    main = await world.repo.fetch()
    topic = await world.repo.commit("topic", main, {"README": None, "a": "1", "nix/flake.nix": "{ b }\n"}, message="x")
    await world.repo.commit("main", main, {"later": "1"}, message="y")
    changes = await world.repo.diff("main", topic)
    assert [(c.path, c.old, c.new) for c in changes] == [
        ("README", "x\n", None),
        ("a", None, "1"),
        ("nix/flake.nix", "{ }\n", "{ b }\n"),
    ]
    assert changes[1].mode == "100644"
    assert await world.repo.diff(topic, topic) == ()


async def test_a_log_may_be_of_one_path(world: World) -> None:
    main = await world.repo.fetch()
    first = await world.repo.commit("main", main, {"a": "1"}, message="a")
    await world.repo.commit("main", first, {"b": "1"}, message="b")
    assert [commit.subject for commit in await world.repo.log("main", path="a")] == ["a"]
    assert [commit.subject for commit in await world.repo.log("main", path="nix")] == ["seed"]
    assert [commit.subject for commit in await world.repo.log("main", limit=2)] == ["b", "a"]


async def test_a_ref_is_set_and_deleted_only_where_it_was_expected(world: World) -> None:
    main = await world.repo.fetch()
    one = await world.repo.commit("topic", main, {"a": "1"}, message="x")
    await world.repo.push_ref("refs/heads/copy", one, expect=None)
    await world.repo.push_ref("copy", one, expect=None)
    with pytest.raises(RemoteFailure) as elsewhere:
        await world.repo.push_ref("copy", None, expect=main)
    assert elsewhere.value.code == "PVX0701"
    with pytest.raises(Refused):
        await world.repo.push_ref("topic", main, expect=one)
    await world.repo.push_ref("copy", None, expect=one)
    await world.repo.push_ref("copy", None, expect=one)
    await world.other.fetch()
    assert await world.other.tip("copy") is None
    assert await world.repo.tip("copy") is None
    assert await world.other.tip("topic") == one


async def test_notes_are_appended_and_shared(world: World) -> None:
    main = await world.repo.fetch()
    assert await world.repo.notes("reviews") == {}
    await world.repo.add_note("reviews", main, "approved by ada")
    await world.other.fetch()
    await world.other.add_note("reviews", main, "rejected by bob\n")
    topic = await world.repo.commit("topic", main, {"a": "1"}, message="x")
    await world.repo.add_note("reviews", topic, "approved")
    await world.repo.fetch()
    assert await world.repo.notes("reviews") == {main: "approved by ada\n\nrejected by bob\n", topic: "approved\n"}
    assert await world.repo.notes("others") == {}


@pytest.mark.parametrize("known", [False, True])
async def test_a_bundle_is_what_plain_git_takes(world: World, known: bool) -> None:
    main = await world.repo.fetch()
    clone = world.folder / "clone"
    clone.mkdir()
    git("init", "--quiet", "--initial-branch=start", ".", cwd=clone)

    async def deliver(commit: CommitId, have: CommitId | None) -> None:
        (clone / "fleet.bundle").write_bytes(await world.repo.bundle(commit, have=have))
        git("bundle", "verify", "--quiet", "fleet.bundle", cwd=clone)
        git("fetch", "--quiet", "fleet.bundle", "+refs/heads/main:refs/remotes/origin/main", cwd=clone)
        assert git("rev-parse", "refs/remotes/origin/main", cwd=clone) == commit

    await deliver(main, None)
    first = await world.repo.commit("main", main, {"nix/a.nix": "1", "nix/a/b.nix": "2", "nix/a-b": "3"}, message="a")
    second = await world.repo.commit("main", first, {"nix/a.nix": None}, message="b")
    await deliver(second, main if known else None)
    await deliver(first, second if known else None)
    await deliver(second, CommitId("0" * 39 + "1"))
    git("fsck", "--strict", cwd=clone)
    git("checkout", "--quiet", "--detach", second, cwd=clone)
    assert (clone / "nix/a/b.nix").read_text() == "2"
    assert not (clone / "nix/a.nix").exists()


async def test_a_commit_that_nobody_has_is_contained_nowhere_and_cannot_be_read(world: World) -> None:
    main, unknown = await world.repo.fetch(), "1" * 40
    assert not await world.repo.contains(main, unknown)
    assert not await world.repo.contains(unknown, main)
    with pytest.raises(RemoteFailure) as missing:
        await world.repo.read(unknown, "README")
    assert missing.value.code == "PVX0716"


async def test_what_was_fetched_can_be_read_while_the_remote_is_away(world: World) -> None:
    main = await world.repo.fetch()
    world.break_remote()
    with pytest.raises((Unreachable, RemoteFailure)):
        await world.repo.fetch()
    assert await world.repo.main() == main
    assert await world.repo.read("main", "README") == "x\n"
    with pytest.raises((Unreachable, RemoteFailure)):
        await world.repo.commit("topic", main, {"a": "1"}, message="x")


@pytest.mark.slow
async def test_eight_writers_lose_no_commit(world: World) -> None:
    main = await world.repo.fetch()
    repos = [world.repo, world.other]
    commits = [
        await world.repo.commit(f"topic-{number}", main, {f"file-{number}": "1"}, message=f"{number}")
        for number in range(8)
    ]
    async with asyncio.TaskGroup() as group:
        for number, commit in enumerate(commits):
            group.create_task(repos[number % 2].merge(commit, into="main", message=f"Merge {number}"))
    tip = await world.repo.fetch()
    assert {f"file-{number}" for number in range(8)} <= set(await world.repo.files(tip))
