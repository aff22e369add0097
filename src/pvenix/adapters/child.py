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


async def started(starting: Coroutine[Any, Any, Process], kill: Kill) -> Process:
    """The process; who is cancelled meanwhile has it started to the end first, and killed.

    Raises: OSError when it cannot be started.
    """
    start = asyncio.get_running_loop().create_task(starting)  # no TaskGroup: that would cut the start off too
    try:
        return await asyncio.shield(start)
    except asyncio.CancelledError:
        with suppress(OSError):
            await ended(await start, kill)
        raise


async def ended(process: Process, kill: Kill) -> None:
    """Kill it unless it has ended, and wait for its end."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            kill(process.pid)
        await process.wait()
