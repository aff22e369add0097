"""Several questions to one host at once, whose failure is one error and not a group of them."""

from __future__ import annotations

import asyncio
from types import TracebackType

from typing_extensions import override

from pvenix.model.errors import PvenixError, worst


class Together(asyncio.TaskGroup):
    """A TaskGroup that raises the worst PvenixError of its tasks by itself, so that callers can tell a lost connection.

    Any other exception still comes out in a group: it is a defect.
    """

    @override
    async def __aexit__(
        self, et: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(et, exc, tb)
        except BaseExceptionGroup as group:
            errors = [error for error in group.exceptions if isinstance(error, PvenixError)]
            if len(errors) < len(group.exceptions):
                raise
            code = worst([error.exit_code for error in errors])
            raise next(error for error in errors if error.exit_code == code) from None
