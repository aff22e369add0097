"""The one door from the front ends to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pvenix.model.errors import UsageError
from pvenix.model.plan import ArgValue
from pvenix.wiring.approvals import Approvals
from pvenix.wiring.goingback import GoingBack
from pvenix.wiring.keeping import Keeping
from pvenix.wiring.plans import Plans
from pvenix.wiring.repository import Repository
from pvenix.wiring.sitestate import SiteState


class Workspace(Plans, Approvals, Keeping, SiteState, GoingBack, Repository):
    """A fleet on this machine, and the site that it describes."""

    @classmethod
    def open(
        cls, start: Path, *, inventory: Path | None = None, extra: Mapping[str, ArgValue] | None = None
    ) -> Workspace:
        """The fleet that `start` is in.

        Raises: UsageError when there is none.
        """
        from pvenix.fleet.root import find_root

        root = find_root(start)
        if root is not None:
            return cls(root, inventory=inventory, extra=extra or {})
        raise UsageError(
            f"there is no fleet in {start} or above",
            why="a fleet has inventory/site.yaml",
            hint="start one with `pvenix init DIR`, or try everything on a simulated site with --lab",
        )
