"""Waiting for something outside, with a limit and with evidence when the limit passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pvenix.engine.ports import Clock, TaskResult
from pvenix.engine.step import Step
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure

T = TypeVar("T")
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0


async def until(look: Callable[[], Awaitable[T | None]], *, clock: Clock, timeout_s: float, what: str) -> T:
    """The first answer of `look` that is not None; looks again after growing pauses.

    Raises: OutcomeUnknown when `timeout_s` passes first.
    """
    deadline = clock.monotonic() + timeout_s
    pause = _FIRST_PAUSE_S
    while (found := await look()) is None:
        if clock.monotonic() >= deadline:
            raise OutcomeUnknown(f"{what} did not come within {timeout_s:.0f} s", code="PVX0501")
        await clock.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
    return found


async def task_end(world: World, step: Step, upid: str, *, timeout_s: float) -> TaskResult:
    """The good end of a Proxmox task, its log in the host's output.

    Raises: RemoteFailure with the task's error, OutcomeUnknown when it cannot be seen to end.
    """
    step.evidence(upid=upid)
    result = await world.pve.wait(upid, timeout_s=timeout_s, on_line=step.output)
    if not result.ok:
        raise RemoteFailure(
            f"Proxmox task {upid.split(':')[5]} failed", why=result.exit_text, evidence=result.log[-6:], code="PVX0514"
        )
    return result
