"""Waiting for something outside, with a limit and with evidence when the limit passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from pvenix.engine.ports import Clock, TaskResult, TaskState, VmConfig
from pvenix.engine.step import Step
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure

T = TypeVar("T")
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_STALL_S = {
    "qmclone": 1200.0,
    "qmmove": 900.0,
    "qmigrate": 900.0,
    "qmrestore": 900.0,
    "vzdump": 900.0,
    "download": 300.0,
    "imgcopy": 300.0,
}
"""How long a task of each kind that prints its progress may say nothing: a hundredth of a terabyte in a quarter of an
hour is 11 MB/s. Others, such as the deletion of a snapshot, are silent until they end."""
STALLED = "PVX0546"
_LOCK_PATIENCE_S = 90.0
"""Less than the shortest step may take, so that a lock that stays is told as such."""


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


async def unlocked(world: World, step: Step, found: Found, *, timeout_s: float = _LOCK_PATIENCE_S) -> VmConfig:
    """The VM's configuration once no job locks it; what locks it is told meanwhile, and never taken away.

    Raises: RemoteFailure when the lock stays, or the VM has gone.
    """
    deadline, told = world.clock.monotonic() + timeout_s, ""
    while True:
        config = await world.pve.config(found.node, found.vmid)
        if config is None:
            raise RemoteFailure(f"VM {found.vmid} is no longer on {found.node}", hint="look again", code="PVX0525")
        lock = config.values.get("lock", "")
        if not lock:
            return config
        owner = await _newest_task(world, found)
        if world.clock.monotonic() >= deadline:
            raise RemoteFailure(
                f"VM {found.vmid} stays locked ({lock})",
                why=owner,
                hint=f"when no task of it runs any more, and only then: qm unlock {found.vmid} on {found.node}",
                code="PVX0524",
            )
        if told != lock:
            step.tell(f"VM {found.vmid} is locked ({lock}), {owner}; waiting for its end")
            told = lock
        await world.clock.sleep(_LONGEST_PAUSE_S)


async def _newest_task(world: World, found: Found) -> str:
    tasks = await world.pve.tasks_of(found.node, found.vmid)
    if not tasks:
        return "and no task of it is known"
    return f"its newest task is {task_words(tasks[0])}"


def task_words(task: TaskState) -> str:
    """What a task is, whose, and since when."""
    return f"{task.kind} of {task.user} since {datetime.fromtimestamp(task.began_at, UTC):%F %T} UTC"


async def task_end(world: World, step: Step, upid: str, *, timeout_s: float) -> TaskResult:
    """The good end of a Proxmox task, its log in the host's output.

    Raises: RemoteFailure with the task's error, OutcomeUnknown when it cannot be seen to end, or no longer moves (code
    STALLED).
    """
    step.evidence(upid=upid)
    stall_s = _STALL_S.get(upid.split(":")[5])
    return ended_well(await world.pve.wait(upid, timeout_s=timeout_s, on_line=step.output, stall_s=stall_s))


def ended_well(result: TaskResult) -> TaskResult:
    """`result`, if the task did what it was asked.

    Raises: RemoteFailure with the task's error.
    """
    if not result.ok:
        raise RemoteFailure(
            f"Proxmox task {result.upid.split(':')[5]} failed",
            why=result.exit_text,
            evidence=result.log[-6:],
            code="PVX0514",
        )
    return result
