"""What every Repo must do, over git and in memory."""

from __future__ import annotations

import asyncio

import pytest

from pvenix.model.errors import Refused, RemoteFailure
from pvenix.model.names import CommitId
from tests.contract.repo_worlds import BASE, RepoWorld, git


async def test_the_main_branch_is_read_without_asking_for_a_fetch_first(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.main()
    assert await repo_world.repo.fetch() == main
    assert await repo_world.repo.tip("main") == main
    assert await repo_world.repo.tip("registration/dns01") is None
    assert await repo_world.repo.read(main, "nix/flake.nix") == "{ }\n"
    assert await repo_world.repo.read("main", "README") == "x\n"
    assert await repo_world.repo.read(main, "nix/none.nix") is None
    assert await repo_world.repo.read(main, "nix") is None
    assert await repo_world.repo.files(main) == ("README", "inventory/hosts.yaml", "nix/flake.nix")
    assert await repo_world.repo.files(main, "nix") == ("nix/flake.nix",)
    assert await repo_world.repo.files(main, "none") == ()


async def test_a_commit_is_on_the_remote_when_it_returns(any_repo_world: RepoWorld) -> None:
    main = await any_repo_world.repo.fetch()
    branch = "registration/dns01"
    commit = await any_repo_world.repo.commit(
        branch, main, {"nix/hosts/dns01.nix": "{ é }\n", "README": None}, message="Register dns01\n\nwhy"
    )
    await any_repo_world.other.fetch()
    assert await any_repo_world.other.tip(branch) == await any_repo_world.repo.tip(branch) == commit
    assert await any_repo_world.other.read(commit, "nix/hosts/dns01.nix") == "{ é }\n"
    assert await any_repo_world.other.read(branch, "README") is None
    newest, seed = await any_repo_world.other.log(branch)
    assert (newest.id, newest.author, newest.subject) == (commit, "Op", "Register dns01")
    assert newest.at.endswith("Z")
    assert seed.id == main
    assert await any_repo_world.other.contains(commit, main)
    assert not await any_repo_world.other.contains(main, commit)


async def test_an_author_may_be_named(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    commit = await repo_world.repo.commit(
        "topic", main, {"a": "1"}, message="x", author="Ada Lovelace <ada@example.org>"
    )
    assert (await repo_world.repo.log(commit, limit=1))[0].author == "Ada Lovelace"


async def test_the_same_content_again_is_the_same_commit(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    first = await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    assert await repo_world.repo.commit("topic", main, {"a": "1"}, message="again") == first
    assert (
        await repo_world.other.commit("topic", await repo_world.other.main(), {"a": "1"}, message="by another") == first
    )
    assert await repo_world.repo.commit("topic", first, {"a": "1"}, message="on top") == first
    assert await repo_world.repo.commit("topic", first, {}, message="nothing") == first
    assert len(await repo_world.repo.log("topic")) == 2


async def test_a_branch_without_a_change_of_its_own_is_at_its_base(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    assert await repo_world.repo.commit("topic", main, {"README": "x\n"}, message="nothing") == main
    assert await repo_world.repo.tip("topic") == main


async def test_a_branch_that_moved_is_not_overwritten(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    await repo_world.other.fetch()
    theirs = await repo_world.other.commit("topic", main, {"a": "theirs"}, message="x")
    with pytest.raises(RemoteFailure) as moved:
        await repo_world.repo.commit("topic", main, {"a": "ours"}, message="y")
    assert moved.value.code == "PVX0701"
    assert await repo_world.repo.fetch() == main
    assert await repo_world.repo.tip("topic") == theirs
    ours = await repo_world.repo.commit("topic", theirs, {"a": "ours"}, message="y")
    assert await repo_world.repo.contains(ours, theirs)


async def test_the_remote_may_forbid_a_branch_and_says_why(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    repo_world.forbid("refs/heads/topic")
    with pytest.raises(Refused) as refusal:
        await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    assert "fleet: refused: not you" in refusal.value.why
    assert await repo_world.repo.tip("topic") is None
    assert await repo_world.repo.commit("other", main, {"a": "1"}, message="x")


async def test_a_merge_goes_forward_when_it_can_and_is_done_once(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    commit = await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    assert await repo_world.repo.merge(commit, into="main", message="Merge") == commit
    assert await repo_world.repo.merge(commit, into="main", message="Merge") == commit
    assert await repo_world.other.fetch() == commit


async def test_a_merge_joins_two_histories(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    topic = await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    await repo_world.other.fetch()
    moved = await repo_world.other.commit("main", main, {"b": "2"}, message="y")
    merged = await repo_world.repo.merge(topic, into="main", message="Merge a")
    assert merged not in (topic, moved)
    assert await repo_world.other.fetch() == merged
    assert (await repo_world.other.read(merged, "a"), await repo_world.other.read(merged, "b")) == ("1", "2")
    assert await repo_world.other.contains(merged, topic)
    assert await repo_world.other.contains(merged, moved)
    assert (await repo_world.other.log(merged, limit=1))[0].subject == "Merge a"


async def test_a_conflict_is_told_and_nothing_moves(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    topic = await repo_world.repo.commit("topic", main, {"README": "ours"}, message="x")
    moved = await repo_world.repo.commit("main", main, {"README": "theirs"}, message="y")
    with pytest.raises(RemoteFailure) as conflict:
        await repo_world.repo.merge(topic, into="main", message="Merge")
    assert conflict.value.code == "PVX0702"
    assert "README" in conflict.value.why
    assert await repo_world.other.fetch() == moved


async def test_what_is_merged_is_the_commit_and_not_what_the_branch_became(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    reviewed = await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    later = await repo_world.repo.commit("topic", reviewed, {"a": "evil"}, message="y")
    merged = await repo_world.repo.merge(reviewed, into="main", message="Merge")
    assert await repo_world.repo.read(merged, "a") == "1"
    assert not await repo_world.repo.contains(merged, later)


async def test_a_commit_is_taken_back_and_what_came_after_it_stays(repo_world: RepoWorld) -> None:
    repo = repo_world.repo
    main = await repo.main()
    wrong = await repo.commit("main", main, {"a": "wrong\n", "README": None}, message="wrong")
    later = await repo.commit("main", wrong, {"b": "later\n"}, message="later")
    back = await repo.revert(wrong, onto="main", message="Revert")
    assert await repo.tip("main") == later
    assert (await repo.log(back, limit=2))[1].id == later
    assert await repo.files(back) == tuple(sorted((*BASE, "b")))
    assert [(each.path, each.new) for each in await repo.diff(later, back)] == [("README", "x\n"), ("a", None)]
    await repo.push_ref("main", back, expect=later)
    assert await repo_world.other.fetch() == back
    again = await repo.revert(back, onto="main", message="Revert the revert")
    assert await repo.read(again, "a") == "wrong\n"


async def test_a_merge_is_taken_back_against_its_first_parent(repo_world: RepoWorld) -> None:
    repo = repo_world.repo
    main = await repo.main()
    topic = await repo.commit("topic", main, {"a": "1"}, message="topic")
    await repo.commit("main", main, {"b": "2"}, message="meanwhile")
    merged = await repo.merge(topic, into="main", message="Merge")
    back = await repo.revert(merged, onto="main", message="Revert")
    assert await repo.files(back) == tuple(sorted((*BASE, "b")))


async def test_all_that_a_branch_brought_is_taken_back_at_once(repo_world: RepoWorld) -> None:
    repo = repo_world.repo
    main = await repo.main()
    first = await repo.commit("topic", main, {"a": "1", "README": "1"}, message="first")
    topic = await repo.commit("topic", first, {"a": "2", "c": "2"}, message="second")
    assert await repo.merge(topic, into="main", message="Merge") == topic
    await repo.commit("main", topic, {"b": "later"}, message="later")
    back = await repo.revert(topic, onto="main", message="Revert", since=main)
    assert await repo.files(back) == tuple(sorted((*BASE, "b")))
    assert await repo.read(back, "README") == "x\n"


async def test_what_was_changed_again_since_is_not_taken_back(repo_world: RepoWorld) -> None:
    repo = repo_world.repo
    main = await repo.main()
    wrong = await repo.commit("main", main, {"README": "wrong\n"}, message="wrong")
    tip = await repo.commit("main", wrong, {"README": "right\n"}, message="right")
    with pytest.raises(RemoteFailure) as conflict:
        await repo.revert(wrong, onto="main", message="Revert")
    assert (conflict.value.code, await repo.fetch()) == ("PVX0717", tip)
    assert "README" in conflict.value.why
    undone = await repo.revert(tip, onto="main", message="Revert")
    with pytest.raises(RemoteFailure) as gone:
        await repo.revert(tip, onto=undone, message="Revert again")
    assert gone.value.code == "PVX0707"
    with pytest.raises(RemoteFailure) as first:
        await repo.revert((await repo.log("main"))[-1].id, onto="main", message="Revert")
    assert first.value.code == "PVX0706"


async def test_branches_are_listed_against_main(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    clean = await repo_world.repo.commit("registration/a", main, {"nix/hosts/a.nix": "1"}, message="A")
    clean = await repo_world.repo.commit("registration/a", clean, {"nix/hosts/b c.nix": "1"}, message="B")
    await repo_world.repo.commit("registration/b", main, {"README": "b"}, message="conflicting")
    moved = await repo_world.repo.commit("main", main, {"README": "main"}, message="moved")
    await repo_world.repo.commit("registration/c", moved, {"c": "1"}, message="C")
    await repo_world.repo.push_ref("registration/d", moved, expect=None)
    await repo_world.repo.commit("edit/x", main, {"x": "1"}, message="X")
    found = {branch.name: branch for branch in await repo_world.repo.branches("registration/")}
    shown = {name: (b.ahead, b.behind, b.paths, b.mergeable) for name, b in found.items()}
    assert shown == {
        "registration/a": (2, 1, ("nix/hosts/a.nix", "nix/hosts/b c.nix"), True),
        "registration/b": (1, 1, ("README",), False),
        "registration/c": (1, 0, ("c",), True),
        "registration/d": (0, 0, (), True),
    }
    assert found["registration/a"].tip.id == clean
    assert found["registration/a"].tip.subject == "B"
    assert [branch.name for branch in await repo_world.repo.branches()] == ["edit/x", *shown]
    assert await repo_world.repo.branches("registration/") == tuple(found.values())


async def test_a_diff_is_against_the_merge_base(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    topic = await repo_world.repo.commit(
        "topic", main, {"README": None, "a": "1", "nix/flake.nix": "{ b }\n"}, message="x"
    )
    await repo_world.repo.commit("main", main, {"later": "1"}, message="y")
    changes = await repo_world.repo.diff("main", topic)
    assert [(c.path, c.old, c.new) for c in changes] == [
        ("README", "x\n", None),
        ("a", None, "1"),
        ("nix/flake.nix", "{ }\n", "{ b }\n"),
    ]
    assert changes[1].mode == "100644"
    assert await repo_world.repo.diff(topic, topic) == ()


async def test_a_log_may_be_of_one_path(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    first = await repo_world.repo.commit("main", main, {"a": "1"}, message="a")
    await repo_world.repo.commit("main", first, {"b": "1"}, message="b")
    assert [commit.subject for commit in await repo_world.repo.log("main", path="a")] == ["a"]
    assert [commit.subject for commit in await repo_world.repo.log("main", path="nix")] == ["seed"]
    assert [commit.subject for commit in await repo_world.repo.log("main", limit=2)] == ["b", "a"]


async def test_a_ref_is_set_and_deleted_only_where_it_was_expected(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    one = await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    await repo_world.repo.push_ref("refs/heads/copy", one, expect=None)
    await repo_world.repo.push_ref("copy", one, expect=None)
    with pytest.raises(RemoteFailure) as elsewhere:
        await repo_world.repo.push_ref("copy", None, expect=main)
    assert elsewhere.value.code == "PVX0701"
    with pytest.raises(Refused):
        await repo_world.repo.push_ref("topic", main, expect=one)
    await repo_world.repo.push_ref("copy", None, expect=one)
    await repo_world.repo.push_ref("copy", None, expect=one)
    await repo_world.other.fetch()
    assert await repo_world.other.tip("copy") is None
    assert await repo_world.repo.tip("copy") is None
    assert await repo_world.other.tip("topic") == one


async def test_notes_are_appended_and_shared(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    assert await repo_world.repo.notes("reviews") == {}
    await repo_world.repo.add_note("reviews", main, "approved by ada")
    await repo_world.other.fetch()
    await repo_world.other.add_note("reviews", main, "rejected by bob\n")
    topic = await repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
    await repo_world.repo.add_note("reviews", topic, "approved")
    await repo_world.repo.fetch()
    assert await repo_world.repo.notes("reviews") == {main: "approved by ada\n\nrejected by bob\n", topic: "approved\n"}
    assert await repo_world.repo.notes("others") == {}


@pytest.mark.parametrize("known", [False, True])
async def test_a_bundle_is_what_plain_git_takes(repo_world: RepoWorld, known: bool) -> None:
    main = await repo_world.repo.fetch()
    clone = repo_world.folder / "clone"
    clone.mkdir()
    git("init", "--quiet", "--initial-branch=start", ".", cwd=clone)

    async def deliver(commit: CommitId, have: CommitId | None) -> None:
        (clone / "fleet.bundle").write_bytes(await repo_world.repo.bundle(commit, have=have))
        git("bundle", "verify", "--quiet", "fleet.bundle", cwd=clone)
        git("fetch", "--quiet", "fleet.bundle", "+refs/heads/main:refs/remotes/origin/main", cwd=clone)
        assert git("rev-parse", "refs/remotes/origin/main", cwd=clone) == commit

    await deliver(main, None)
    first = await repo_world.repo.commit(
        "main", main, {"nix/a.nix": "1", "nix/a/b.nix": "2", "nix/a-b": "3"}, message="a"
    )
    second = await repo_world.repo.commit("main", first, {"nix/a.nix": None}, message="b")
    await deliver(second, main if known else None)
    await deliver(first, second if known else None)
    await deliver(second, CommitId("0" * 39 + "1"))
    git("fsck", "--strict", cwd=clone)
    git("checkout", "--quiet", "--detach", second, cwd=clone)
    assert (clone / "nix/a/b.nix").read_text() == "2"
    assert not (clone / "nix/a.nix").exists()


@pytest.mark.slow
async def test_eight_writers_lose_no_commit(repo_world: RepoWorld) -> None:
    main = await repo_world.repo.fetch()
    repos = [repo_world.repo, repo_world.other]
    commits = [
        await repo_world.repo.commit(f"topic-{number}", main, {f"file-{number}": "1"}, message=f"{number}")
        for number in range(8)
    ]
    async with asyncio.TaskGroup() as group:
        for number, commit in enumerate(commits):
            group.create_task(repos[number % 2].merge(commit, into="main", message=f"Merge {number}"))
    tip = await repo_world.repo.fetch()
    assert {f"file-{number}" for number in range(8)} <= set(await repo_world.repo.files(tip))
