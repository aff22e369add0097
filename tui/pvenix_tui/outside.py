"""A program of its own on this terminal, such as ssh or an editor, while every reading and every window goes on.

The program is waited for by the event loop: with a blocking call the connections of this window would stall.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pvenix.model.errors import LocalResource, UsageError
from pvenix_tui.text import clean

if TYPE_CHECKING:
    from textual.app import App

_KEYS_OF_THE_PROGRAM: Final = (signal.SIGINT, signal.SIGQUIT)
"""What the terminal sends to every process on it; meant for the program that is in front."""
_WANTED: Final = (0, 128 + signal.SIGINT, -signal.SIGINT)
"""Ends that a person brought about."""
READ_S: Final = 3.0
"""What failed sooner has said why, and nobody could read it."""
_SANE: Final = "\x1b[0m\x1b[?25h\x1b[?1l\x1b>"
"""Colours off, cursor on, keypad normal (xterm, ctlseqs): a program that was killed may have left them otherwise."""


async def run_outside(app: App[int], argv: Sequence[str], *, cwd: Path | None = None) -> int:
    """The program's exit code, negative for the signal that ended it; screen and terminal are as before.

    Raises: UsageError when there is no such program or no terminal to give it, LocalResource when it cannot be started.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise UsageError(f"`{argv[0]}` is not installed", hint=f"install it, or run elsewhere: {shlex.join(argv)}")
    if app.is_headless:
        raise UsageError(f"there is no terminal for `{argv[0]}`")
    with _own_keys(), app.suspend():
        try:
            return await _run((program, *argv[1:]), argv, cwd)
        except (OSError, asyncio.CancelledError) as error:  # Textual takes the screen back only when nothing is raised
            failed = error
    if isinstance(failed, OSError):
        raise LocalResource(f"`{argv[0]}` cannot be started", why=str(failed)) from failed
    raise failed


async def _run(command: Sequence[str], argv: Sequence[str], cwd: Path | None) -> int:
    out = sys.__stderr__
    before, began = termios.tcgetattr(0), time.monotonic()
    if out is not None:
        out.write(f"pvenix: {clean(shlex.join(argv))}\n")
        out.flush()
    try:
        code = await _wait(command, cwd)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        if out is not None:
            out.write(_SANE)
            out.flush()
    if out is not None and code not in _WANTED and time.monotonic() - began < READ_S:
        out.write(f"pvenix: {clean(argv[0])} ended with {code}; enter goes back\n")
        out.flush()
        await _enter()
    return code


async def _wait(command: Sequence[str], cwd: Path | None) -> int:
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # not `terminate`: see pvenix.adapters.child
                os.kill(process.pid, signal.SIGTERM)
        raise


async def _enter() -> None:
    """Wait for a line on the terminal."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(0, came.set)
    try:
        await came.wait()
        os.read(0, 4096)
    finally:
        loop.remove_reader(0)


@contextlib.contextmanager
def _own_keys() -> Iterator[None]:
    """An interrupt or quit key ends the program in front, not this one; a handler, for what is ignored stays ignored there."""
    before = {number: signal.getsignal(number) for number in _KEYS_OF_THE_PROGRAM}
    for number in _KEYS_OF_THE_PROGRAM:
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def editor() -> tuple[str, ...]:
    """The words that start the person's editor: $VISUAL, else $EDITOR, else vi (environ(7))."""
    for name in ("VISUAL", "EDITOR"):
        with contextlib.suppress(ValueError):
            words = shlex.split(os.environ.get(name, ""))
            if words:
                return tuple(words)
    return ("vi",)
