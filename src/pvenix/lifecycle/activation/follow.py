"""Follow an activation unit to its end, through cut connections."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pvenix.engine.ports import End, bytes_in
from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import LockHeld, OutcomeUnknown, PvenixError, Refused, RemoteFailure, Unreachable

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_REST_S = 10.0
"""How long the end of a log may take to arrive; the host keeps all of it."""


class UnitEnd(StrEnum):
    """How an activation unit ended."""

    OK = "ok"
    FAILED = "failed"
    GONE = "gone"
    """Stopped or unknown to systemd: no evidence of anything; what runs must be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of an activation unit."""

    end: UnitEnd
    status: int | None = None
    """What switch-to-configuration exited with; None when it was stopped or killed, or nobody knows."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """What one process knows of an attempt over all its connections."""

    deadline: float
    """On the clock's monotonic time: by then the dead-man must have gone back, and the host be reachable."""
    offset: int = 0
    """Bytes of the attempt's log that were shown."""


def judge(properties: dict[str, str]) -> UnitEnd | None:
    """The end that systemd's properties of the unit show; None while it runs, or waits in systemd's queue for its start.

    A unit that is not loaded reports success for everything, which proves nothing (measured with systemd 252).
    """
    if properties.get("LoadState") != "loaded":
        return UnitEnd.GONE
    if is_queued(properties):
        return None
    active = properties.get("ActiveState")
    if active in ("activating", "deactivating", "reloading"):
        return None
    if active == "active":
        return UnitEnd.OK if properties.get("SubState") == "exited" else None
    return UnitEnd.FAILED if active == "failed" else UnitEnd.GONE


def status_in(properties: dict[str, str]) -> int | None:
    """The exit status of a unit's main process; None when it did not exit by itself (ExecMainCode is CLD_EXITED, 1)."""
    status = properties.get("ExecMainStatus", "")
    return int(status) if properties.get("ExecMainCode") == "1" and status.isdigit() else None


def is_queued(properties: dict[str, str]) -> bool:
    """True when systemd has not come to the unit's conditions yet: until then it shows ConditionResult=no (measured with 252)."""
    return properties.get("ActiveState") == "inactive" and properties.get("ConditionTimestampMonotonic") == "0"


def properties_in(text: str) -> dict[str, str]:
    """`systemctl show` output as a mapping."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


async def watch_unit(world: World, step: Step, attempt: str, watch: Watch) -> Ended:
    """The end of the attempt's activation unit, its log in the host's output; re-attaches after a cut.

    What the new system refuses us counts as no contact: it may be the very thing that its dead-man undoes.
    Raises: LockHeld when systemd skipped the unit because of its fence, Unreachable when there is no contact until
    the watch's deadline.
    """
    while True:
        try:
            remote = await world.remote(step)
            async with contextlib.AsyncExitStack() as stack:
                tail = await stack.enter_async_context(_Tail(remote, attempt, watch.offset))
                try:
                    return await _poll(world, remote, attempt)
                finally:
                    watch.offset = tail.offset
        except (Unreachable, OutcomeUnknown, Refused, RemoteFailure) as error:
            if world.clock.monotonic() > watch.deadline:
                raise Unreachable(f"no contact with {step.host} since its activation began", why=str(error)) from error
            step.tell(f"unknown: {error}; the activation goes on in {words.activation_unit(attempt)}; re-attaching")
            await world.clock.sleep(0.5)


async def _poll(world: World, remote: Remote, attempt: str) -> Ended:
    pause = _FIRST_PAUSE_S
    unit = words.activation_unit(attempt)
    while True:
        result = await remote.session.run(argv.unit_state(unit), timeout_s=20)
        if result.end is End.LOST:
            raise OutcomeUnknown("the connection was lost while the activation ran")
        if not result.ok:  # as while systemd starts itself anew: no answer says nothing of the unit
            raise OutcomeUnknown("systemd does not answer", why=result.stderr.strip()[-200:])
        properties = properties_in(result.stdout)
        end = judge(properties)
        if end is not None and properties.get("LoadState") == "loaded" and properties.get("ConditionResult") == "no":
            raise LockHeld("systemd skipped the activation: its fence was taken over", code="PVX0642")
        if end is not None:
            return Ended(end=end, status=0 if end is UnitEnd.OK else status_in(properties))
        await world.clock.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


class _Tail:
    """Copies the attempt's log to the host's output while the context is open; `offset` counts the bytes seen."""

    def __init__(self, remote: Remote, attempt: str, offset: int) -> None:
        self._remote = remote
        self._path = words.activation_log(attempt)
        self.offset = offset
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._task = self._group.create_task(self._copy())
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._task is not None:
            self._task.cancel()
        await self._group.__aexit__(None, None, None)
        with contextlib.suppress(PvenixError):
            await self._rest()

    async def _copy(self) -> None:
        with contextlib.suppress(PvenixError):
            await self._take(words.follow(self._path, self.offset))

    async def _rest(self) -> None:
        """What was written after the last chunk arrived."""
        if self._remote.session.alive:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REST_S):
                    await self._take(words.read_on(self._path, self.offset))

    async def _take(self, command: argv.Argv) -> None:
        async with self._remote.session.stream(command, sudo=True) as chunks:
            async for chunk in chunks:
                self.offset += bytes_in(chunk)
                self._remote.step.output(chunk)
