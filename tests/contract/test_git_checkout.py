"""A person's directory becomes a clone of the fleet's repository, and not one byte of theirs is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pvenix.adapters.git.checkout import Checkout
from pvenix.adapters.git.repo import GitRepo
from pvenix.model.errors import LocalResource, Refused, RemoteFailure, UsageError
from pvenix.model.names import CommitId
from tests.contract.repo_worlds import AUTHOR, git, seed_bare

OLD = {"configuration.nix": "{ }\n", "nix/flake.nix": "old\n"}
FLEET = {"inventory/site.yaml": "kind: Site\n", "nix/flake.nix": "mine\n"}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def contents(root: Path) -> dict[str, str]:
    paths = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(root)): path.read_text() for path in paths}


@dataclass
class Place:
    """A bare repository, a directory with a fleet, and what pvenix does with both."""

    bare: Path
    root: Path
    repo: GitRepo
    checkout: Checkout

    async def init(self) -> CommitId:
        """What `init --remote` does on this machine; the commit of main afterwards."""
        await self.checkout.examine()
        tip = await self.repo.fetch_any()
        commit = await self.checkout.join(self.repo.mirror, tip, message="Add the pvenix fleet")
        if commit != tip:
            await self.repo.publish(self.checkout.repository, commit, expect=tip)
            await self.checkout.pushed(commit)
        return commit

    def subjects(self) -> list[str]:
        return git("log", "--format=%s", "main", cwd=self.bare).splitlines()

    def commit(self, message: str) -> str:
        git("add", "--all", cwd=self.root)
        git("commit", "--quiet", "-m", message, cwd=self.root)
        return git("rev-parse", "HEAD", cwd=self.root)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """An empty repository, and a fleet that is not under Git."""
    bare, root = tmp_path / "fleet.git", tmp_path / "fleet"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=tmp_path)
    write(root, FLEET)
    repo = GitRepo(url=str(bare), branch="main", cache_dir=tmp_path / "cache", author=AUTHOR)
    checkout = Checkout(root, url=str(bare), branch="main", author=AUTHOR, home=tmp_path / "cache")
    yield Place(bare, root, repo, checkout)
    await repo.close()


@pytest.fixture
def grown(place: Place) -> Place:
    """The same with a history in the repository."""
    place.bare.rename(place.bare.with_name("empty.git"))
    seed_bare(place.bare, OLD)
    return place


async def test_an_empty_repository_gets_the_fleet_as_its_first_commit(place: Place) -> None:
    commit = await place.init()
    assert git("rev-parse", "main", cwd=place.bare) == commit
    assert place.subjects() == ["Add the pvenix fleet"]
    assert set(git("ls-tree", "-r", "--name-only", "main", cwd=place.bare).split()) == set(FLEET)


async def test_files_are_restored_or_kept_but_never_overwritten(grown: Place) -> None:
    before = grown.subjects()
    await grown.init()
    assert contents(grown.root) == OLD | FLEET
    assert grown.subjects() == ["Add the pvenix fleet", *before]
    assert git("show", "main:nix/flake.nix", cwd=grown.bare) == "mine"
    assert git("show", "main:configuration.nix", cwd=grown.bare) == "{ }"
    assert git("status", "--porcelain", cwd=grown.root) == ""
    assert git("log", "-1", "--format=%an <%ae>", cwd=grown.root) == AUTHOR


async def test_plain_git_goes_on_from_there(grown: Place) -> None:
    await grown.init()
    write(grown.root, {"nix/hosts/a.nix": "{ }\n"})
    mine = grown.commit("By hand")
    git("push", "--quiet", cwd=grown.root)
    git("pull", "--quiet", "--ff-only", cwd=grown.root)
    assert git("rev-parse", "main", cwd=grown.bare) == mine


async def test_the_second_time_changes_nothing_and_leaves_edits_alone(grown: Place) -> None:
    first = await grown.init()
    write(grown.root, {"nix/flake.nix": "an edit\n", "notes": "draft\n"})
    assert await grown.init() == first
    assert git("rev-parse", "HEAD", cwd=grown.root) == first
    assert git("status", "--porcelain", cwd=grown.root).split() == ["M", "nix/flake.nix", "??", "notes"]


@pytest.mark.parametrize("command", ["read-tree", "checkout-index", "add", "commit-tree", "update-ref"])
async def test_what_was_interrupted_anywhere_is_brought_to_the_same_end(
    grown: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pvenix.adapters.git.runner import Git

    real = Git.run

    async def dying(self: Git, *args: str, **rest: object) -> object:
        done = await real(self, *args, **rest)  # type: ignore[arg-type]
        if args[0] == command and self.directory == grown.checkout.repository:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Git, "run", dying)
        with pytest.raises(KeyboardInterrupt):
            await grown.init()
    commit = await grown.init()
    assert contents(grown.root) == OLD | FLEET
    assert git("rev-parse", "main", cwd=grown.bare) == commit
    assert grown.subjects().count("Add the pvenix fleet") == 1


async def test_a_fleet_with_a_history_of_its_own_keeps_it_beside_the_repositorys(grown: Place) -> None:
    git("init", "--quiet", "--initial-branch=main", cwd=grown.root)
    mine = grown.commit("Mine")
    theirs = git("rev-parse", "main", cwd=grown.bare)
    commit = await grown.init()
    assert git("log", "-1", "--format=%P", commit, cwd=grown.bare).split() == [theirs, mine]
    assert contents(grown.root) == OLD | FLEET


async def test_commits_that_are_not_pushed_yet_are_pushed_as_they_are(place: Place) -> None:
    git("init", "--quiet", "--initial-branch=main", cwd=place.root)
    mine = place.commit("Mine")
    assert await place.init() == mine
    assert git("rev-parse", "main", cwd=place.bare) == mine


async def test_a_clone_that_is_behind_is_left_where_it_is(grown: Place, tmp_path: Path) -> None:
    first = await grown.init()
    git("clone", "--quiet", str(grown.bare), str(tmp_path / "other"), cwd=tmp_path)
    write(tmp_path / "other", {"more": "x\n"})
    git("add", "--all", cwd=tmp_path / "other")
    git("commit", "--quiet", "-m", "More", cwd=tmp_path / "other")
    git("push", "--quiet", cwd=tmp_path / "other")
    assert await grown.init() == git("rev-parse", "main", cwd=grown.bare) != first
    assert git("rev-parse", "HEAD", cwd=grown.root) == first

    write(grown.root, {"mine": "x\n"})
    grown.commit("Mine")
    with pytest.raises(UsageError, match="different ways"):
        await grown.init()


async def test_somebody_who_pushed_meanwhile_is_not_run_over(grown: Place, tmp_path: Path) -> None:
    tip = await grown.repo.fetch_any()
    commit = await grown.checkout.join(grown.repo.mirror, tip, message="Add")
    seed_bare(tmp_path / "theirs.git", {"theirs": "x\n"})
    git("fetch", "--quiet", "--force", str(tmp_path / "theirs.git"), "+main:main", cwd=grown.bare)
    theirs = git("rev-parse", "main", cwd=grown.bare)
    with pytest.raises(RemoteFailure) as caught:
        await grown.repo.publish(grown.checkout.repository, commit, expect=tip)
    assert caught.value.code == "PVX0701"
    assert git("rev-parse", "main", cwd=grown.bare) == theirs


async def test_a_private_key_is_not_committed(place: Place) -> None:
    write(place.root, {"id": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n"})
    with pytest.raises(Refused, match="private key"):
        await place.init()
    assert git("for-each-ref", cwd=place.bare) == ""
    write(place.root, {".gitignore": "/id\n"})
    await place.init()
    assert "id" not in git("ls-tree", "-r", "--name-only", "main", cwd=place.bare).split()


async def test_a_repository_inside_the_fleet_is_refused(place: Place) -> None:
    git("init", "--quiet", str(place.root / "nix"), cwd=place.root)
    git("add", "--all", cwd=place.root / "nix")
    git("commit", "--quiet", "-m", "x", cwd=place.root / "nix")
    with pytest.raises(Refused, match="repository of its own"):
        await place.init()


async def test_a_file_in_the_place_of_a_directory_of_the_history_is_not_replaced(grown: Place) -> None:
    seed_bare(grown.bare.with_name("deep.git"), {"notes/a": "x\n"})
    grown.bare.rename(grown.bare.with_name("old.git"))
    grown.bare.with_name("deep.git").rename(grown.bare)
    write(grown.root, {"notes": "mine\n"})
    with pytest.raises(LocalResource, match="cannot be put"):
        await grown.init()
    assert (grown.root / "notes").read_text() == "mine\n"


async def test_a_clone_of_something_else_or_another_branch_is_refused_untouched(place: Place) -> None:
    git("init", "--quiet", "--initial-branch=main", cwd=place.root)
    place.commit("Mine")
    git("remote", "add", "origin", "ssh://git@example.org/x.git", cwd=place.root)
    with pytest.raises(UsageError, match="is a clone of"):
        await place.init()
    git("remote", "remove", "origin", cwd=place.root)
    git("switch", "--quiet", "-c", "topic", cwd=place.root)
    with pytest.raises(UsageError, match="is on topic"):
        await place.init()
    assert "remote." not in git("config", "--list", "--local", cwd=place.root)
