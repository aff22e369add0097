"""Of the hosts of one role on one node, one boots at a time: in a run, and between the runs of this machine.

Where a host is, only Proxmox knows, and only at that moment: so the turn is taken when the reboot is due, and not planned.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TextIO

from pvenix.engine.ports import Clock
from pvenix.model.errors import LocalResource, RemoteFailure

_PAUSE_S = 1.0
Tell = Callable[[str], None]


class Turns:
    """Who of a role is down on a node. Without `folder` other runs of this machine are not heard of."""

    def __init__(self, clock: Clock, folder: Path | None = None) -> None:
        self._clock = clock
        self._folder = folder
        self._taken: dict[tuple[str, str], asyncio.Lock] = {}
        self._away: dict[tuple[str, str], str] = {}
        """The last host of the role that went down on the node and was not seen to come back."""

    @asynccontextmanager
    async def hold(
        self, host: str, roles: Sequence[str], node: str, *, tell: Tell, is_up: Callable[[str], Awaitable[bool]]
    ) -> AsyncIterator[None]:
        """The turn of `host`, once no other one of its roles on `node` has it; `tell` says when it is waited for.

        All take them in the same order, so none waits in a circle. Raises: RemoteFailure when a host that had the turn
        before is still away by `is_up`, LocalResource when the file of a turn cannot be made.
        """
        async with AsyncExitStack() as stack:
            keys = [(role, node) for role in sorted(set(roles))]
            for key in keys:
                await self._take(stack, key, tell)
            for key in keys:
                await self._refuse_beside(key, host, is_up)
            try:
                yield
            except BaseException:  # also a step that ran out of time: nobody knows whether the host is back
                self._away |= dict.fromkeys(keys, host)
                raise
            for key in keys:
                self._away.pop(key, None)

    async def _take(self, stack: AsyncExitStack, key: tuple[str, str], tell: Tell) -> None:
        lock = self._taken.setdefault(key, asyncio.Lock())
        waits = f"another host of role {key[0]} on {key[1]} is booting; waiting for its end"
        if lock.locked():
            tell(waits)
        await stack.enter_async_context(lock)
        if self._folder is None:
            return
        file = stack.enter_context(_opened(self._folder, f"{key[1]}.{key[0]}"))
        told = False
        while not _locked(file):
            if not told:
                tell(waits)
            told = True
            await self._clock.sleep(_PAUSE_S)

    async def _refuse_beside(self, key: tuple[str, str], host: str, is_up: Callable[[str], Awaitable[bool]]) -> None:
        away = self._away.get(key, host)
        if away == host:
            return
        if not await is_up(away):
            raise RemoteFailure(
                f"{host} is not rebooted while {away} is away",
                why=f"both are of role {key[0]} on {key[1]}, and {away} was not seen to come back from its reboot",
                hint=f"pvenix console {away}; when it answers again: pvenix resume",
                code="PVX0954",
            )
        del self._away[key]


def _opened(folder: Path, name: str) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return (folder / name).open("a+")
    except OSError as error:
        raise LocalResource("the file of a turn cannot be made", why=str(error)) from error


def _locked(file: TextIO) -> bool:
    """True when the lock is ours; the kernel frees it when this process dies."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
