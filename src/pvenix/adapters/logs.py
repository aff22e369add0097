"""Log records of ours and of libraries as they may be kept: cleaned, tracebacks included."""

from __future__ import annotations

import logging

from typing_extensions import override

from pvenix.adapters.text import sanitise


class CleanFormatter(logging.Formatter):
    """Formats as its base does, without control characters and without secrets."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return sanitise(super().format(record))


def clean_logs() -> None:
    """Clean what every handler of the root logger writes, and what goes to stderr while there is none."""
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None:
            handler.setFormatter(CleanFormatter(handler.formatter._fmt if handler.formatter else None))  # noqa: SLF001
