"""What was done, and how it is undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pvenix.engine.auditpages import Page
from pvenix.engine.runfiles import RunDir
from pvenix.model.inverse import Undo

if TYPE_CHECKING:
    from pvenix.lifecycle.goingback import Prospect
    from pvenix.lifecycle.revert import Reverting


class JournalPart(Protocol):
    """The audit log and the ways back; what is not `async` blocks, and is for a thread."""

    def journal_page(self, before: int | None = None) -> Page:
        """The newest lines of the audit log, or those that end at byte `before`."""

    def journal_since(self, end: int) -> Page:
        """The lines that were written since a page ended at `end`."""

    def undos(self, lines: Sequence[Mapping[str, Any]]) -> tuple[Undo, ...]:
        """The ways back of what lines, oldest first, say was done."""

    def undos_of_run(self, run: str) -> tuple[Undo, ...]:
        """The ways back of what a run did."""

    def run_to_undo(self, run: str) -> RunDir:
        """The run with this id."""

    def decided(self, found: Sequence[Prospect]) -> dict[str, dict[str, str]]:
        """What the run of a rollback is bound to, by host."""

    async def propose_revert(self, found: Reverting) -> str:
        """Push what takes a commit back to its branch; the branch's tip."""
