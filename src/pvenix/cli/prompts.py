"""Questions to the person; without a terminal, or with `--no-input`, a question is an error that names the flag."""

from __future__ import annotations

import asyncio
import sys
import termios
from collections.abc import Awaitable, Callable

import click

from pvenix.cli.settings import Settings
from pvenix.model.errors import UsageError
from pvenix.model.secret import Secret


def confirm(settings: Settings, question: str) -> None:
    """Return when the answer is yes.

    Raises: UsageError when it is no or cannot be asked for, ReadOnly where nothing may be changed.
    """
    settings.refuse_change("do what it would ask about")
    if settings.yes:
        return
    _need_terminal(settings, question, "--yes")
    if not click.confirm(question, err=True):
        raise UsageError("not confirmed", why="nothing was changed")


def typed(settings: Settings, question: str, expected: str, flag: str) -> None:
    """Return when the person typed exactly `expected`.

    Raises: UsageError when something else was typed or nothing can be, ReadOnly where nothing may be changed.
    """
    settings.refuse_change("do what it would ask about")
    _need_terminal(settings, question, flag)
    answer = click.prompt(question, err=True, default="", show_default=False)
    if answer.strip() != expected:
        raise UsageError(f"{answer.strip()!r} is not {expected!r}", why="nothing was changed")


async def agreed(settings: Settings, question: str) -> bool:
    """True when the answer is yes, which nothing but a y says; the loop reads it, so that an interrupt is heard meanwhile."""
    if settings.yes:
        return True
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()
    typed_line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not typed_line.done():
            typed_line.set_result(sys.stdin.readline())

    click.echo(f"{question} [y/N]: ", nl=False, err=True)
    loop.add_reader(terminal, read)
    try:
        return (await typed_line).strip().casefold() in ("y", "yes")
    finally:
        loop.remove_reader(terminal)


async def secret(question: str) -> Secret:
    """What the person types, which the terminal does not show.

    The loop reads it, so that an interrupt is heard meanwhile and echo is never left off.
    Raises: UsageError when the input ends instead.
    """
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()
    typed_line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not typed_line.done():
            typed_line.set_result(sys.stdin.readline())

    before = termios.tcgetattr(terminal)
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(
        terminal, termios.TCSAFLUSH, quiet
    )  # before the prompt: what is typed at once is neither shown nor lost
    sys.stderr.write(f"{question}: ")
    sys.stderr.flush()
    loop.add_reader(terminal, read)
    try:
        line = await typed_line
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        sys.stderr.write("\n")
    if not line:
        raise UsageError(f"nothing was typed for the {question}")
    return Secret(line.rstrip("\r\n"))


def secret_asker(settings: Settings) -> Callable[[str], Awaitable[Secret]] | None:
    """How to ask for a secret, None when there is nobody to ask."""
    return secret if can_ask(settings) else None


def can_ask(settings: Settings) -> bool:
    """True when there is a person to ask."""
    return not settings.no_input and sys.stdin is not None and sys.stdin.isatty()  # None: closed by who started us


def _need_terminal(settings: Settings, question: str, flag: str) -> None:
    if not can_ask(settings):
        raise UsageError(f"cannot ask: {question}", hint=f"give the answer with {flag}")
