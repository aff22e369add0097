"""Several ways to one result: the first that works is taken, and the better ones have a small head start (RFC 8305)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pvenix.model.errors import PvenixError, worst

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Generic[T]):
    """One way; it fails with a PvenixError."""

    run: Callable[[], Awaitable[T]]
    after_s: float = 0.0
    """It begins this long after the one before it, or at once when all that began have failed."""


async def first_of(attempts: Sequence[Attempt[T]]) -> T:
    """The result of the first attempt that succeeds; the others are cancelled.

    Raises: the first of the worst errors when none does, with every error as its evidence.
    """
    waiting, errors = deque(enumerate(attempts)), dict[int, PvenixError]()
    loop = asyncio.get_running_loop()
    due = loop.time()
    async with asyncio.TaskGroup() as group:
        running: dict[asyncio.Task[T | PvenixError], int] = {}
        while waiting or running:
            while waiting and (not running or loop.time() >= due):
                number, attempt = waiting.popleft()
                running[group.create_task(_ended(attempt.run))] = number
                due = loop.time() + (waiting[0][1].after_s if waiting else 0.0)
            ended, _ = await asyncio.wait(
                running, timeout=max(0.0, due - loop.time()) if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in sorted(ended, key=running.__getitem__):
                number, result = running.pop(task), task.result()
                if isinstance(result, PvenixError):
                    errors[number] = result
                    continue
                for other in running:
                    other.cancel()
                return result
    raise _worst_of([errors[number] for number in sorted(errors)])


async def _ended(run: Callable[[], Awaitable[T]]) -> T | PvenixError:
    """An attempt's result, or its error as a value: an error of one must not end the others."""
    try:
        return await run()
    except PvenixError as error:
        return error


def _worst_of(errors: Sequence[PvenixError]) -> PvenixError:
    code = worst([error.exit_code for error in errors])
    chosen = next(error for error in errors if error.exit_code == code)
    if len(errors) > 1:
        chosen.evidence = (*chosen.evidence, *(str(error) for error in errors))
    return chosen
