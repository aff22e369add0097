"""Where a program on a test's terminal is, for the message of a test that waited for it in vain."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from pvenix_tui.app import PvenixApp

STACKS: Final = "stacks.txt"
"""The file in the program's home in which it says so, when it gets SIGUSR1."""


@contextlib.contextmanager
def telling_where(app: PvenixApp, home: Path) -> Iterator[None]:
    """Tell on SIGUSR1."""
    with (home / STACKS).open("w") as said:
        signal.signal(signal.SIGUSR1, lambda *_: _tell(app, said))
        yield


def _tell(app: PvenixApp, said: TextIO) -> None:
    said.write(f"{app.current_mode} {app.screen_stack} {app.size}\n")
    with contextlib.suppress(RuntimeError):  # the loop has ended
        said.writelines(f"{task.get_name()}: {' < '.join(_awaited(task.get_coro()))}\n" for task in asyncio.all_tasks())
    said.flush()
    faulthandler.dump_traceback(said)


def _awaited(coroutine: Any) -> Iterator[str]:
    """What a coroutine waits for, from the outside to the inside."""
    while (code := getattr(coroutine, "cr_code", None)) is not None:
        yield f"{code.co_name} {coroutine.cr_frame.f_lineno if coroutine.cr_frame else 0}"
        coroutine = coroutine.cr_await
