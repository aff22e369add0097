"""Slots: no more tasks at once than a site allows, taken in one order, and told when they have to be waited for."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.lifecycle.slots import Slots, Use
from pvenix.model.site import Limits
from tests.sim.virtual import run_virtual

LIMITS = Limits(tasks_per_node=2, clones_per_storage=1, transfers_per_node=1)
NODES = st.sampled_from(["n1", "n2", "n3"])
uses = st.builds(
    Use, node=NODES, storage=st.sampled_from(["", "ssd", "nvme"]), transfer=st.lists(NODES, max_size=2).map(tuple)
)


@given(st.lists(uses, max_size=12))
def test_no_limit_is_ever_exceeded_and_nobody_waits_for_ever(many: list[Use]) -> None:
    held: dict[tuple[str, str], int] = {}
    ended = []

    async def task(slots: Slots, use: Use) -> None:
        async with slots.hold(use, LIMITS, lambda _text: None):
            mine = [(kind, name, limit) for kind, name, limit in use.slots(LIMITS)]
            for kind, name, limit in mine:
                held[kind, name] = held.get((kind, name), 0) + 1
                assert held[kind, name] <= limit
            await asyncio.sleep(1)
            for kind, name, _ in mine:
                held[kind, name] -= 1
        ended.append(use)

    async def play() -> None:
        slots = Slots()
        async with asyncio.TaskGroup() as group:
            for use in many:
                group.create_task(task(slots, use))

    run_virtual(play())
    assert len(ended) == len(many)


def test_who_has_to_wait_is_told_for_what() -> None:
    told: list[str] = []

    async def play() -> None:
        slots = Slots()
        async with asyncio.TaskGroup() as group:
            group.create_task(_held(slots, Use(node="n1", storage="ssd"), told))
            group.create_task(_held(slots, Use(node="n2", storage="ssd"), told))

    run_virtual(play())
    assert told == ["waiting for a slot on ssd"]


async def _held(slots: Slots, use: Use, told: list[str]) -> None:
    async with slots.hold(use, LIMITS, told.append):
        await asyncio.sleep(1)


def test_a_task_that_fails_gives_its_slots_back() -> None:
    async def play() -> None:
        slots = Slots()
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await _fails(slots)

    run_virtual(play())


async def _fails(slots: Slots) -> float:
    async with slots.hold(Use(node="n1", storage="ssd", transfer=("n1", "n2")), LIMITS, lambda _text: None):
        return 1 / 0
