"""What every Clock must do."""

from __future__ import annotations

import re

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import Clock
from tests.contract.loop_clock import LoopClock


@pytest.fixture(params=[SystemClock, LoopClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


async def test_time_goes_on_while_sleeping(clock: Clock) -> None:
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert 0.009 < clock.monotonic() - before < 5
    await clock.sleep(-1)


async def test_now_is_utc_to_the_millisecond(clock: Clock) -> None:
    first = clock.utc()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first)
    await clock.sleep(0.002)
    assert clock.utc() > first
