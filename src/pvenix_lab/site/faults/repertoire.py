"""What a site is handed: the table of armed faults with the whole catalogue, and what strikes at each place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.armed.table import Armed, Repertoire
from pvenix_lab.site.faults import calls, guests, works
from pvenix_lab.site.faults.rows import resolve
from pvenix_lab.site.guest.channels import AROUND_COMMAND
from pvenix_lab.site.pve.api import AROUND_CALL
from pvenix_lab.site.pve.tasks import AROUND_WORKER, NODE_OF_TASK

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

_HOOKS = (
    AROUND_CALL.struck_by(calls.struck),
    NODE_OF_TASK.struck_by(works.node_of),
    AROUND_WORKER.struck_by(works.struck),
    AROUND_COMMAND.struck_by(guests.struck),
)


class Faults(Armed):
    """The faults of a site; without a site they can be armed and taken, and states and events do nothing."""

    def __init__(self, site: Site | None = None) -> None:
        repertoire = Repertoire(resolve=resolve, hooks=dict(_HOOKS))
        super().__init__(repertoire, owner=site, seed=site.seed if site else 0)
