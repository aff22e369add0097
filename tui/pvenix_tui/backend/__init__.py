"""What the TUI needs of the engine, as protocols; `pvenix.wiring.Workspace` has this shape, and so has the tests' fake."""

from __future__ import annotations

from typing import Protocol

from pvenix_tui.backend.fleet import ExplainedLike, FleetLike, FleetPart, HostLike, OriginLike
from pvenix_tui.backend.hosts import DayTwoLike, HostsPart
from pvenix_tui.backend.inspection import InspectionPart
from pvenix_tui.backend.journal import JournalPart
from pvenix_tui.backend.newhosts import NewHostsPart
from pvenix_tui.backend.planning import PlanningPart, WaysBackPart
from pvenix_tui.backend.repository import RepositoryPart
from pvenix_tui.backend.runs import RunsPart

__all__ = ["Backend", "DayTwoLike", "ExplainedLike", "FleetLike", "HostLike", "OriginLike"]


class Backend(
    FleetPart,
    HostsPart,
    InspectionPart,
    RunsPart,
    PlanningPart,
    WaysBackPart,
    RepositoryPart,
    NewHostsPart,
    JournalPart,
    Protocol,
):
    """A fleet with its runs, readings and reviews; every method raises `PvenixError` for what a person can act on."""

    async def close(self) -> None:
        """Close connections; runs go on."""
