"""What was done to the fleet from this machine, by its audit log, and how it is undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pvenix.engine.audit import AuditLog
from pvenix.wiring.opened import OpenFleet

if TYPE_CHECKING:
    from pvenix.engine.auditpages import Page
    from pvenix.model.inverse import Undo


class Journalled(OpenFleet):
    """Readings of files; each blocks, and is for a thread."""

    def journal_page(self, before: int | None = None) -> Page:
        """The newest lines of the audit log, or those that end at byte `before`.

        Raises: LocalResource when it is there and cannot be read.
        """
        from pvenix.engine.auditpages import page

        return page(AuditLog(self.state_dir), before)

    def journal_since(self, end: int) -> Page:
        """The lines that were written since a page ended at `end`.

        Raises: LocalResource.
        """
        from pvenix.engine.auditpages import since

        return since(AuditLog(self.state_dir), end)

    def undos(self, lines: Sequence[Mapping[str, Any]]) -> tuple[Undo, ...]:
        """The ways back of what lines of the log, oldest first, say was done, the first to go first."""
        from pvenix.engine.deeds import undos

        return undos(lines, self.runs)

    def undos_of_run(self, run: str) -> tuple[Undo, ...]:
        """The ways back of what a run did, by its journal: also of one that is not at its end.

        Raises: UsageError when there is no such run, LocalResource when it cannot be read.
        """
        from pvenix.engine.audittrail import lines_of

        return self.undos(lines_of(self.runs.open(run)))
