"""What commits changed, and why two of them do not merge: the rules of every Repo, over git and in memory."""

from __future__ import annotations

import pytest

from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId
from tests.contract.repo_worlds import RepoWorld


async def apart(world: RepoWorld) -> tuple[CommitId, CommitId]:
    """Main and a branch that both changed the same line of one file; the branch also adds one."""
    seed = await world.repo.fetch()
    tip = await world.repo.commit("topic", seed, {"README": "theirs\n", "new.nix": "{ }\n"}, message="Theirs")
    ours = await world.repo.commit("topic2", seed, {"README": "ours\n"}, message="Ours", author="Ada <ada@x.org>")
    return await world.repo.merge(ours, into="main", message="unused"), tip


async def test_a_commit_tells_what_it_changed_and_the_first_one_everything(repo_world: RepoWorld) -> None:
    seed = await repo_world.repo.fetch()
    tip = await repo_world.repo.commit("topic", seed, {"README": "y\n", "nix/a b.nix": "1"}, message="x")
    assert {(each.path, each.old, each.new) for each in await repo_world.repo.changes(tip)} == {
        ("README", "x\n", "y\n"),
        ("nix/a b.nix", None, "1"),
    }
    assert {each.old for each in await repo_world.repo.changes(seed)} == {None}
    touched = await repo_world.repo.touched((tip, seed))
    assert set(touched[tip]) == {"README", "nix/a b.nix"}
    assert "nix/flake.nix" in touched[seed]
    assert await repo_world.repo.touched(()) == {}


async def test_a_merge_changed_what_its_branch_brought(repo_world: RepoWorld) -> None:
    seed = await repo_world.repo.fetch()
    tip = await repo_world.repo.commit("topic", seed, {"a": "1"}, message="a")
    main = await repo_world.repo.commit("main", seed, {"b": "2"}, message="b")
    merged = await repo_world.repo.merge(tip, into="main", message="Merge topic")
    assert [each.path for each in await repo_world.repo.changes(merged)] == ["a"]
    assert await repo_world.repo.touched((merged, main)) == {merged: ("a",), main: ("b",)}


async def test_files_that_both_changed_are_named_with_all_three_sides(repo_world: RepoWorld) -> None:
    main, tip = await apart(repo_world)
    [clash] = await repo_world.repo.clashes(main, tip)
    assert (clash.path, clash.base, clash.ours, clash.theirs) == ("README", "x\n", "ours\n", "theirs\n")
    assert clash.marked.startswith("<<<<<<< ")
    assert "ours\n=======\ntheirs\n>>>>>>> " in clash.marked
    assert await repo_world.repo.clashes(main, main) == ()


async def test_a_resolved_conflict_is_a_merge_that_main_takes_forward(repo_world: RepoWorld) -> None:
    main, tip = await apart(repo_world)
    new = await repo_world.repo.resolve(
        "topic", tip, main, {"README": "both\n"}, message="Merge main", author="Bo <bo@x.org>"
    )
    assert await repo_world.repo.tip("topic") == new
    assert await repo_world.repo.contains(new, main)
    assert await repo_world.repo.contains(new, tip)
    assert await repo_world.repo.read(new, "README") == "both\n"
    assert await repo_world.repo.read(new, "new.nix") == "{ }\n"
    assert (await repo_world.repo.log(new, limit=1))[0].author == "Bo"
    assert await repo_world.repo.merge(new, into="main", message="unused") == new


async def test_a_conflict_that_nobody_resolved_is_not_pushed(repo_world: RepoWorld) -> None:
    main, tip = await apart(repo_world)
    with pytest.raises(RemoteFailure) as caught:
        await repo_world.repo.resolve("topic", tip, main, {"new.nix": "1"}, message="x")
    assert caught.value.code == "PVX0702"
    assert await repo_world.repo.tip("topic") == tip


async def test_a_resolution_never_goes_over_somebody_elses_newer_commit(repo_world: RepoWorld) -> None:
    main, tip = await apart(repo_world)
    await repo_world.other.fetch()
    newer = await repo_world.other.commit("topic", tip, {"more": "1"}, message="newer")
    with pytest.raises(RemoteFailure) as caught:
        await repo_world.repo.resolve("topic", tip, main, {"README": "both\n"}, message="x")
    assert caught.value.code == "PVX0701"
    await repo_world.repo.fetch()
    assert await repo_world.repo.tip("topic") == newer
