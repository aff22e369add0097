"""The one door from the front ends to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pvenix.model.errors import UsageError
from pvenix.model.plan import ArgValue
from pvenix.wiring.approvals import Approvals
from pvenix.wiring.foretelling import Foretelling
from pvenix.wiring.goingback import GoingBack
from pvenix.wiring.ignoring import Ignoring
from pvenix.wiring.inspection import Inspection
from pvenix.wiring.journalled import Journalled
from pvenix.wiring.keeping import Keeping
from pvenix.wiring.newhosts import NewHosts
from pvenix.wiring.sitestate import SiteState


class Workspace(Foretelling, Approvals, Keeping, SiteState, Inspection, Ignoring, GoingBack, NewHosts, Journalled):
    """A fleet on this machine, and the site that it describes."""

    @classmethod
    def open(
        cls,
        start: Path,
        *,
        inventory: Path | None = None,
        extra: Mapping[str, ArgValue] | None = None,
        read_only: bool = False,
    ) -> Workspace:
        """The fleet that `start` is in; with `read_only`, or PVENIX_READ_ONLY set, only for looking.

        Raises: UsageError when there is none.
        """
        from pvenix.fleet.root import find_root

        root = find_root(start)
        if root is not None:
            return cls(root, inventory=inventory, extra=extra or {}, read_only=read_only)
        raise UsageError(
            f"there is no fleet in {start} or above",
            why="a fleet has inventory/site.yaml",
            hint="start one with `pvenix init DIR`, or try everything on a simulated site with --lab",
        )
