"""What is kept of runs on this machine: giving one up, throwing old ones away, and who holds which host."""

from __future__ import annotations

from collections.abc import Callable

from pvenix.adapters.clock import SystemClock
from pvenix.engine.abandoned import Abandoned, abandoned, mark_abandoned, refuse_abandoned
from pvenix.engine.audit import AuditLog
from pvenix.engine.audittrail import WHO, AuditTrail, complete_run
from pvenix.engine.finishing import refuse_finished
from pvenix.engine.locks import Holder, HostLocks
from pvenix.engine.runfiles import RunDir
from pvenix.model.act import Act
from pvenix.operator import operator
from pvenix.wiring.noting import Noting
from pvenix.wiring.runs import Runs


class Keeping(Noting, Runs):
    """Runs that nobody executes."""

    def lock_holders(self) -> tuple[Holder, ...]:
        """The hosts of this fleet that a process of this machine works on now."""
        return HostLocks(self.state_dir / "locks").holders()

    async def abandon(self, run: RunDir, *, say: Callable[[str], None]) -> Abandoned:
        """End a dead run for good; what can be ended safely is, and the rest is named.

        The run is marked first, so that nobody goes on with it while it is looked at. One that has been abandoned may be
        looked at again for as long as something of it is open.
        Raises: LockHeld when a process executes it, UsageError when it has nothing to give up, LocalResource.
        """
        self.refuse_change("give a run up")
        with run.locked():
            refuse_finished(run)
            mark = abandoned(run.path) or Abandoned(at=SystemClock().utc(), by=operator(), seen=False)
            mark_abandoned(run.path, mark)
            left = await self._left(run, mark.by, say)
            mark = Abandoned(at=mark.at, by=mark.by, seen=True, left=left)
            mark_abandoned(run.path, mark)
            complete_run(AuditLog(self.state_dir), run)
        self.note(Act.ABANDON, run=run.run)
        return mark

    async def skip(self, run: RunDir, host: str, step: str = "") -> str:
        """Let a host of a run that nobody executes go on without the step at which it stands; which one that is.

        With `step` only if it is that one. Nothing is done about the host before the run is gone on with.
        Raises: UsageError when the step may not be skipped, LockHeld when a process executes the run, LocalResource.
        """
        self.refuse_change("skip a step")
        from pvenix.adapters.text import sanitise
        from pvenix.engine.journal import SqliteJournal, read_entries
        from pvenix.engine.narrator import Narrator
        from pvenix.engine.skipping import refused, skip

        refuse_abandoned(run.path)
        with run.locked():
            rows, plan = read_entries(run.journal_path), run.plan()
            found = refused(plan, host, step, rows)
            with (
                self._audited(run, check=plan.check) as trail,
                SqliteJournal(run.journal_path, trail=trail) as journal,
                Narrator(run, SystemClock(), lambda _: None, clean=sanitise) as narrator,
            ):
                journal.evidence("", WHO, **await self._who())
                await skip(journal, narrator, host, found, operator())
        return found

    async def _left(self, run: RunDir, by: str, say: Callable[[str], None]) -> tuple[str, ...]:
        from pvenix.engine.journal import SqliteJournal, read_entries
        from pvenix.lifecycle.abandoning import give_up
        from pvenix.lifecycle.leftovers import open_steps

        rows = read_entries(run.journal_path)
        steps = open_steps(rows)
        if not steps:
            return ()
        world, trail = await self._site(), AuditTrail(AuditLog(self.state_dir), run.run, rows)
        with SqliteJournal(run.journal_path, trail=trail) as journal:
            journal.evidence("", WHO, **await self._who())
            locks = HostLocks(self.state_dir / "locks")
            return await give_up(world, run.run, steps, journal=journal, locks=locks, by=by, say=say)
