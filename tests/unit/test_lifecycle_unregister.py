"""A registration is taken back before it is merged, and never after."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from typing_extensions import override

from pvenix.engine.step import Step
from pvenix.lifecycle import gitkeys, unregister
from pvenix.model.errors import Refused, RemoteFailure
from pvenix.model.outcome import Need, Status
from tests.contract.memory_repo import MemoryRemote, MemoryRepo
from tests.unit.engine_support import MemoryJournal

BRANCH = "refs/heads/registration/web01"


@pytest.fixture
def remote() -> MemoryRemote:
    """A repository with a registration of web01 on top of main."""
    made = MemoryRemote()
    main = made.store({"a": ("100644", b"1")}, [], "op", "first")
    made.refs["refs/heads/main"] = main
    made.refs[BRANCH] = made.store({"a": ("100644", b"2")}, [main], "op", "Register web01")
    return made


@pytest.fixture
def world(remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def shut_out(_world: object, step: Step) -> str:
        step.evidence(shut="out")
        return ""

    monkeypatch.setattr(gitkeys, "shut_out", shut_out)
    return SimpleNamespace(repo=MemoryRepo(remote))


def step_of(journal: MemoryJournal, known: dict[str, str] | None = None) -> Step:
    return Step(
        run="r", host="web01", id="0.0.unregister", verb="unregister", args={}, check=False, facts={},
        known=known or {}, journal=journal, tell=lambda _: None, show=lambda *_: None, output=lambda _: None,
    )  # fmt: skip


def test_the_branch_is_deleted_after_the_intent_and_seen_to_be_gone(world: Any, remote: MemoryRemote) -> None:
    journal = MemoryJournal()
    step = step_of(journal)
    assert asyncio.run(unregister.probe(world, step)).need is Need.NEEDED
    outcome = asyncio.run(unregister.apply(world, step))
    assert outcome.status is Status.CHANGED
    assert outcome.summary == "registration/web01 is gone"
    assert BRANCH not in remote.refs
    assert [row.what for row in journal.rows] == ["intent", "evidence"]
    assert asyncio.run(unregister.probe(world, step_of(MemoryJournal()))).need is Need.DONE


def test_what_is_merged_is_not_taken_back(world: Any, remote: MemoryRemote) -> None:
    remote.refs["refs/heads/main"] = remote.refs[BRANCH]
    with pytest.raises(Refused, match="is merged") as refused:
        asyncio.run(unregister.probe(world, step_of(MemoryJournal())))
    assert refused.value.hint.startswith("pvenix retire web01")


def test_a_push_that_came_meanwhile_is_not_thrown_away(
    world: Any, remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pushing(MemoryJournal):
        @override
        async def intent(self, host: str, step: str, **data: str) -> None:
            remote.refs[BRANCH] = remote.store({"a": ("100644", b"3")}, [remote.refs[BRANCH]], "guest", "more")

    with pytest.raises(RemoteFailure, match="changed by somebody else"):
        asyncio.run(unregister.apply(world, step_of(Pushing())))
    assert BRANCH in remote.refs


def test_killed_after_the_deletion_it_still_shuts_the_guests_key_out(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(_world: object, _step: Step) -> str:
        raise asyncio.CancelledError

    journal, shut_out = MemoryJournal(), gitkeys.shut_out
    step = step_of(journal)
    monkeypatch.setattr(gitkeys, "shut_out", killed)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(unregister.apply(world, step))
    monkeypatch.setattr(gitkeys, "shut_out", shut_out)
    again = step_of(journal, known=dict(step.known))
    assert asyncio.run(unregister.probe(world, again)).need is Need.NEEDED
    assert asyncio.run(unregister.apply(world, again)).status is Status.CHANGED
    assert journal.rows[-1].data == {"shut": "out"}
