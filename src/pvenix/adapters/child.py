"""Child processes of this one, when whoever started them is cancelled.

Their exit status must be left to asyncio. `Process.kill`, `terminate`, `send_signal` and, up to Python 3.12 at least, the
end of a start that was cancelled take it away by `Popen.poll` when the child has just ended (asyncio/base_subprocess.py,
`close`); then the watcher logs `Unknown child process pid` and reports 255.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

Kill = Callable[[int], None]
"""Sends a signal to the child with this pid, or to its group. Raises: ProcessLookupError when it is gone."""

_MOMENT_S = 1.0
"""Longer only where the kernel does not let a killed process go, as on a dead network file system."""


async def started(starting: Coroutine[Any, Any, Process], kill: Kill) -> Process:
    """The process; who is cancelled meanwhile, once or again, has it started to the end first, and killed.

    Raises: OSError when it cannot be started.
    """
    start = asyncio.get_running_loop().create_task(starting)  # no TaskGroup: that would cut the start off too
    try:
        return await asyncio.shield(start)
    except asyncio.CancelledError:
        while not start.done():  # a fork and an exec: milliseconds
            with suppress(asyncio.CancelledError):
                await asyncio.wait([start])
        with suppress(OSError):
            await ended(start.result(), kill)
        raise


async def ended(process: Process, kill: Kill) -> None:
    """Kill it unless it has ended, and wait for its end; who is cancelled meanwhile waits a moment longer for it.

    A loop that closes before asyncio has the exit status leaves a child that nobody waits for.
    """
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        kill(process.pid)
    waiting = asyncio.get_running_loop().create_task(process.wait())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await asyncio.wait([waiting], timeout=_MOMENT_S)
        raise
    finally:
        waiting.cancel()
