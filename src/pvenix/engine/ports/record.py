"""The ports to the journal and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a run's journal."""

    seq: int
    host: str
    step: str
    what: str
    """`intent`, `evidence` or `result`."""
    data: Mapping[str, str] = field(default_factory=dict)
    at: str = ""
    """When it was written: UTC, ISO 8601 with milliseconds; empty when nobody knows."""


class Journal(Protocol):
    """The durable record of a run: intent before an effect, evidence as soon as known, result after."""

    async def intent(self, host: str, step: str, **data: str) -> None:
        """Durable when it returns.

        Raises: LocalResource when the disk does not take it; the effect must not happen then.
        """
        ...

    def evidence(self, host: str, step: str, **data: str) -> None:
        """Recorded soon, not awaited."""
        ...

    async def result(self, host: str, step: str, **data: str) -> None:
        """Durable when it returns.

        Raises: LocalResource when the disk does not take it.
        """
        ...

    def entries(self) -> tuple[Entry, ...]:
        """Every row in the order of writing."""
        ...


class Clock(Protocol):
    """Time as the engine sees it."""

    def monotonic(self) -> float:
        """Seconds from some start; never goes back."""
        ...

    def utc(self) -> str:
        """Now, UTC, ISO 8601 with milliseconds and `Z`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
