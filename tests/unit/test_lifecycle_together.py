"""Questions that go out together fail as one."""

from __future__ import annotations

import asyncio

import pytest

from pvenix.lifecycle.together import Together
from pvenix.model.errors import OutcomeUnknown, RemoteFailure, Unreachable


async def fails(error: Exception) -> None:
    raise error


async def ask(*errors: Exception) -> None:
    async with Together() as group:
        for error in errors:
            group.create_task(fails(error))


async def test_a_lost_connection_is_a_lost_connection() -> None:
    with pytest.raises(OutcomeUnknown, match="cut"):
        await ask(OutcomeUnknown("cut"))


async def test_of_several_failures_the_worst_is_raised() -> None:
    with pytest.raises(OutcomeUnknown):
        await ask(Unreachable("gone"), OutcomeUnknown("cut"), RemoteFailure("broke"))


async def test_a_defect_stays_a_group() -> None:
    with pytest.raises(ExceptionGroup):
        await ask(Unreachable("gone"), ValueError("defect"))


async def test_what_goes_well_goes_well() -> None:
    async with Together() as group:
        task = group.create_task(asyncio.sleep(0, "answer"))
    assert task.result() == "answer"


async def test_an_error_of_the_one_who_asks_is_raised_as_it_is() -> None:
    with pytest.raises(Unreachable):
        async with Together():
            raise Unreachable("gone")
