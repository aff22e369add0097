"""What every Repo must do when the way to the remote breaks before or after an effect, or the remote refuses, at every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from pvenix.engine.ports import Repo
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from pvenix.model.names import CommitId
from tests.contract.memory_repo import Loss
from tests.contract.methods import methods_of
from tests.contract.repo_worlds import OVER_SSH, RepoWorld, repo_params

AWAY: Final = (Unreachable, RemoteFailure)
"""A remote on the same machine that is away is a missing repository, another one is unreachable."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The commits that the rules start from: main, and a topic that goes on from it."""

    main: CommitId
    topic: CommitId


Ask = Callable[[Repo, Seen], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Write:
    """A call that moves `ref` of the remote; `look` says where to."""

    ask: Ask
    ref: str
    look: Callable[[Repo], Awaitable[object]]


async def taken_back(repo: Repo, seen: Seen) -> object:
    """What taking the topic back changes: its commit is another one each second."""
    return await repo.diff(seen.topic, await repo.revert(seen.topic, onto="topic", message="back"))


READS: Final[dict[str, Ask]] = {
    "main": lambda repo, _: repo.main(),
    "branches": lambda repo, _: repo.branches(),
    "tip": lambda repo, _: repo.tip("topic"),
    "log": lambda repo, _: repo.log("topic"),
    "read": lambda repo, _: repo.read("topic", "a"),
    "files": lambda repo, _: repo.files("topic"),
    "diff": lambda repo, _: repo.diff("main", "topic"),
    "changes": lambda repo, seen: repo.changes(seen.topic),
    "touched": lambda repo, seen: repo.touched((seen.topic, seen.main)),
    "clashes": lambda repo, seen: repo.clashes(seen.main, seen.topic),
    "contains": lambda repo, seen: repo.contains(seen.topic, seen.main),
    "revert": taken_back,
    "notes": lambda repo, _: repo.notes("reviews"),
    "bundle": lambda repo, seen: repo.bundle(seen.topic, have=seen.main),
}
WRITES: Final = {
    "commit": Write(
        ask=lambda repo, seen: repo.commit("new", seen.main, {"b": "1"}, message="x"), ref="refs/heads/new",
        look=lambda repo: repo.tip("new"),
    ),
    "merge": Write(
        ask=lambda repo, seen: repo.merge(seen.topic, into="main", message="Merge"), ref="refs/heads/main",
        look=lambda repo: repo.tip("main"),
    ),
    "resolve": Write(
        ask=lambda repo, seen: repo.resolve("topic", seen.topic, seen.main, {"a": "2"}, message="x"),
        ref="refs/heads/topic", look=lambda repo: repo.tip("topic"),
    ),
    "push_ref": Write(
        ask=lambda repo, seen: repo.push_ref("copy", seen.topic, expect=None), ref="refs/heads/copy",
        look=lambda repo: repo.tip("copy"),
    ),
    "add_note": Write(
        ask=lambda repo, seen: repo.add_note("reviews", seen.main, "approved"), ref="refs/notes/reviews",
        look=lambda repo: repo.notes("reviews"),
    ),
}  # fmt: skip
OTHERS: Final = {"fetch", "close"}

reads = pytest.mark.parametrize("ask", READS.values(), ids=READS.keys())
writes = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


async def prepare(world: RepoWorld) -> Seen:
    """Main and a topic, known to both users."""
    main = await world.repo.fetch()
    seen = Seen(main=main, topic=await world.repo.commit("topic", main, {"a": "1"}, message="x"))
    await world.other.fetch()
    return seen


def test_no_method_is_left_out() -> None:
    assert READS.keys() | WRITES.keys() | OTHERS == methods_of(Repo)


@reads
async def test_what_was_fetched_can_be_read_while_the_remote_is_away_and_nothing_else(
    repo_world: RepoWorld, ask: Ask
) -> None:
    seen = await prepare(repo_world)
    expected = await ask(repo_world.repo, seen)
    repo_world.break_remote()
    assert await ask(repo_world.repo, seen) == expected
    assert await ask(repo_world.other, seen) == expected
    with pytest.raises(AWAY):
        await ask(repo_world.newcomer, seen)


@reads
async def test_who_has_fetched_nothing_yet_reads_what_the_others_read(repo_world: RepoWorld, ask: Ask) -> None:
    seen = await prepare(repo_world)
    assert await ask(repo_world.newcomer, seen) == await ask(repo_world.other, seen)


@writes
async def test_a_write_that_is_lost_before_its_effect_changed_nothing(repo_world: RepoWorld, write: Write) -> None:
    seen = await prepare(repo_world)
    before = await write.look(repo_world.repo)
    repo_world.lose(Loss.BEFORE)
    with pytest.raises(Unreachable):
        await write.ask(repo_world.repo, seen)
    assert await write.look(repo_world.repo) == before
    await repo_world.other.fetch()
    assert await write.look(repo_world.other) == before
    await write.ask(repo_world.repo, seen)
    assert await write.look(repo_world.repo) != before


@writes
async def test_a_write_that_is_lost_after_its_effect_is_looked_at_and_done_once(
    repo_world: RepoWorld, write: Write
) -> None:
    seen = await prepare(repo_world)
    before = await write.look(repo_world.repo)
    repo_world.lose(Loss.AFTER)
    await write.ask(repo_world.repo, seen)
    after = await write.look(repo_world.repo)
    assert after != before
    await repo_world.other.fetch()
    assert await write.look(repo_world.other) == after


@writes
async def test_a_write_that_the_remote_refuses_changed_nothing_and_says_why(
    repo_world: RepoWorld, write: Write
) -> None:
    seen = await prepare(repo_world)
    before = await write.look(repo_world.repo)
    repo_world.forbid(write.ref)
    with pytest.raises(Refused) as refused:
        await write.ask(repo_world.repo, seen)
    assert (refused.value.code, refused.value.why) == ("PVX0713", "fleet: refused: not you")
    assert await write.look(repo_world.repo) == before
    await repo_world.other.fetch()
    assert await write.look(repo_world.other) == before


@writes
async def test_a_write_while_the_remote_is_away_changed_nothing(repo_world: RepoWorld, write: Write) -> None:
    seen = await prepare(repo_world)
    before = await write.look(repo_world.repo)
    repo_world.break_remote()
    with pytest.raises(AWAY):
        await write.ask(repo_world.repo, seen)
    assert await write.look(repo_world.repo) == before


async def test_a_fetch_while_the_remote_is_away_leaves_what_is_known(any_repo_world: RepoWorld) -> None:
    seen = await prepare(any_repo_world)
    any_repo_world.break_remote()
    for repo in (any_repo_world.repo, any_repo_world.newcomer):
        with pytest.raises(AWAY):
            await repo.fetch()
    assert await any_repo_world.repo.main() == seen.main


@pytest.mark.parametrize("loss", Loss, ids=lambda loss: loss.name.lower())
async def test_a_push_that_is_cut_is_told_as_what_it_was(any_repo_world: RepoWorld, loss: Loss) -> None:
    main = await any_repo_world.repo.fetch()
    any_repo_world.lose(loss)
    if loss is Loss.BEFORE:
        with pytest.raises(Unreachable):
            await any_repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
        assert await any_repo_world.repo.tip("topic") is None
    else:
        commit = await any_repo_world.repo.commit("topic", main, {"a": "1"}, message="x")
        assert await any_repo_world.newcomer.tip("topic") == commit


async def test_what_was_closed_may_be_closed_again_and_read_on(repo_world: RepoWorld) -> None:
    seen = await prepare(repo_world)
    await repo_world.repo.close()
    await repo_world.repo.close()
    assert await repo_world.repo.read(seen.topic, "a") == "1"


# --- whose key it is ---


@pytest.mark.parametrize("any_repo_world", repo_params(OVER_SSH, quick=True), indirect=True)
async def test_a_guest_moves_its_own_registration_only(any_repo_world: RepoWorld) -> None:
    guest, repo = any_repo_world.guest, any_repo_world.repo
    assert guest
    main = await guest.fetch()
    own = await guest.commit("registration/dns01", main, {"nix/hosts/dns01.nix": "{ }\n"}, message="x")
    await repo.fetch()
    assert await repo.tip("registration/dns01") == own
    for ask in (
        lambda: guest.commit("registration/web01", main, {"a": "1"}, message="x"),
        lambda: guest.merge(own, into="main", message="Merge"),
        lambda: guest.add_note("reviews", own, "approved"),
        lambda: guest.push_ref("registration/dns01", None, expect=own),
    ):
        with pytest.raises(Refused) as refused:
            await ask()
        assert refused.value.code == "PVX0713"
        assert "dns01 may" in refused.value.why
    assert await repo.fetch() == main
    assert await repo.merge(own, into="main", message="Merge") == own
