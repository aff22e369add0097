"""What every Clock must do: the machine's own, and the one of simulations on a loop whose time jumps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import Clock
from tests.contract.methods import methods_of
from tests.sim.virtual import LoopClock, run_virtual


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A clock and the loop that it belongs to."""

    clock: Clock
    run: Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["system", "virtual"])
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param == "system":
        return Kind(clock=SystemClock(), run=asyncio.run)
    return Kind(clock=LoopClock(), run=run_virtual)


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_no_method_is_left_out() -> None:
    """Each of these is asked in every rule below."""
    assert methods_of(Clock) == {"monotonic", "utc", "sleep"}


def test_both_times_go_on_together_while_sleeping(kind: Kind) -> None:
    async def story() -> None:
        before, wall = kind.clock.monotonic(), seconds_of(kind.clock.utc())
        await kind.clock.sleep(0.02)
        passed = kind.clock.monotonic() - before
        assert 0.019 < passed < 5
        assert abs(seconds_of(kind.clock.utc()) - wall - passed) < 2

    kind.run(story())


def test_now_is_utc_to_the_millisecond_and_sorts_as_text(kind: Kind) -> None:
    async def story() -> None:
        first = kind.clock.utc()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first)
        await kind.clock.sleep(0.003)
        assert kind.clock.utc() > first

    kind.run(story())


def test_who_sleeps_less_wakes_first_and_no_time_is_no_wait(kind: Kind) -> None:
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await kind.clock.sleep(seconds)
        woken.append(seconds)

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            for seconds in (0.03, 0.01, -1, 0):
                group.create_task(sleeper(seconds))

    kind.run(story())
    assert woken == [-1, 0, 0.01, 0.03]


def test_a_sleep_that_is_cut_off_ends_at_once_and_time_did_not_jump(kind: Kind) -> None:
    async def story() -> None:
        before, wall = kind.clock.monotonic(), seconds_of(kind.clock.utc())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await kind.clock.sleep(3600)
        assert kind.clock.monotonic() - before < 5
        assert seconds_of(kind.clock.utc()) - wall < 5

    kind.run(story())


def test_a_long_way_is_short_on_the_virtual_loop() -> None:
    async def story() -> None:
        clock = LoopClock()
        before = seconds_of(clock.utc())
        await clock.sleep(36 * 3600)
        assert seconds_of(clock.utc()) - before == 36 * 3600

    run_virtual(story())
