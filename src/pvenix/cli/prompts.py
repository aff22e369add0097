"""Questions to the person; without a terminal, or with `--no-input`, a question is an error that names the flag."""

from __future__ import annotations

import sys

import click

from pvenix.cli.settings import Settings
from pvenix.model.errors import UsageError


def confirm(settings: Settings, question: str) -> None:
    """Return when the answer is yes.

    Raises: UsageError when it is no or cannot be asked for.
    """
    if settings.yes:
        return
    _need_terminal(settings, question, "--yes")
    if not click.confirm(question, err=True):
        raise UsageError("not confirmed", why="nothing was changed")


def typed(settings: Settings, question: str, expected: str, flag: str) -> None:
    """Return when the person typed exactly `expected`.

    Raises: UsageError when something else was typed or nothing can be.
    """
    _need_terminal(settings, question, flag)
    answer = click.prompt(question, err=True, default="", show_default=False)
    if answer.strip() != expected:
        raise UsageError(f"{answer.strip()!r} is not {expected!r}", why="nothing was changed")


def can_ask(settings: Settings) -> bool:
    """True when there is a person to ask."""
    return not settings.no_input and sys.stdin.isatty()


def _need_terminal(settings: Settings, question: str, flag: str) -> None:
    if not can_ask(settings):
        raise UsageError(f"cannot ask: {question}", hint=f"give the answer with {flag}")
