"""Acts of persons, each with its line in the audit log."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from pvenix.adapters.clock import SystemClock
from pvenix.engine.acts import Acting, acting
from pvenix.engine.audit import AuditLog
from pvenix.model.act import Act
from pvenix.operator import author, operator, os_user
from pvenix.wiring.opened import OpenFleet


class Noting(OpenFleet):
    """What every part of a `Workspace` does that lets a person change something beside a run."""

    def note(self, act: Act, **said: Any) -> None:
        """Add the line of an act that is over; `said` as of `Acting`.

        Raises: LocalResource when the log cannot be written, ReadOnly.
        """
        self.refuse_change("write into the audit log")
        with self._acting(act, **said):
            pass

    def _acting(self, act: Act, **said: Any) -> AbstractContextManager[Acting]:
        who = {"operator": operator(), "os_user": os_user(), "git": author()}
        folder = self.state_dir
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return acting(AuditLog(folder), Acting(act=act, **said), at=SystemClock().utc(), who=who)
