"""What every Repo must do with names, paths and texts, odd ones and those that are none."""

from __future__ import annotations

import pytest

from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId
from tests.contract.repo_worlds import RepoWorld


async def test_a_file_may_give_way_to_a_directory_and_back(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    deep = await repo_world.repo.commit("topic", main, {"README": None, "README/a": "1", "README/b": "2"}, message="x")
    assert await repo_world.repo.files(deep, "README") == ("README/a", "README/b")
    assert await repo_world.repo.files(deep, "README/") == ("README/a", "README/b")
    flat = await repo_world.repo.commit("topic", deep, {"README/a": None, "README/b": None, "README": "y"}, message="y")
    assert await repo_world.repo.read(flat, "README") == "y"
    assert await repo_world.repo.files(flat, "README") == ()


async def test_to_delete_what_is_not_there_is_no_change(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    assert await repo_world.repo.commit("topic", main, {"none": None, "nix/none": None}, message="x") == main


@pytest.mark.parametrize("text", ["", "no newline", "a\r\nb\r\n", "\u202ee\u0301\n", "\n\n", " "])
async def test_a_text_comes_back_as_it_was(repo_world: RepoWorld, text: str) -> None:
    main = await repo_world.repo.fetch()
    commit = await repo_world.repo.commit("topic", main, {"a": text}, message=f"{text}\nbody")
    assert await repo_world.repo.read(commit, "a") == text


async def test_names_that_are_none_are_refused_before_anything_is_asked(repo_world: RepoWorld) -> None:
    repo, main = repo_world.repo, await repo_world.repo.fetch()
    for name in ("", "-f", "a..b", "a b", "a.lock", "@{-1}", "a/", "HEAD^{/x}"):
        for ask in (
            repo.tip(name), repo.log(name), repo.commit(name, main, {"a": "1"}, message="x"),
            repo.merge(main, into=name, message="x"), repo.push_ref(name, main, expect=None),
        ):  # fmt: skip
            with pytest.raises(UsageError):
                await ask
    for path in ("", "/etc/passwd", "../x", "a//b", ".git/config", "a/"):
        with pytest.raises(UsageError):
            await repo.read(main, path)
        with pytest.raises(UsageError):
            await repo.commit("topic", main, {path: "x"}, message="x")
    assert await repo.branches() == ()


async def test_what_nobody_has_is_said_to_be_missing(repo_world: RepoWorld) -> None:
    repo, main, unknown = repo_world.repo, await repo_world.repo.fetch(), CommitId("1" * 40)
    for ask in (
        repo.log("none"), repo.files(unknown), repo.diff("main", unknown), repo.merge(unknown, into="main", message="x"),
        repo.add_note("reviews", unknown, "x"), repo.bundle(unknown, have=main),
        repo.commit("topic", unknown, {"a": "1"}, message="x"), repo.merge(main, into="none", message="x"),
    ):  # fmt: skip
        with pytest.raises(RemoteFailure) as missing:
            await ask
        assert missing.value.code == "PVX0716"
    assert await repo.contains(main, main)
    assert await repo.fetch() == main


async def test_a_commit_that_nobody_has_is_contained_nowhere_and_cannot_be_read(repo_world: RepoWorld) -> None:
    main, unknown = await repo_world.repo.fetch(), "1" * 40
    assert not await repo_world.repo.contains(main, unknown)
    assert not await repo_world.repo.contains(unknown, main)
    with pytest.raises(RemoteFailure) as missing:
        await repo_world.repo.read(unknown, "README")
    assert missing.value.code == "PVX0716"
