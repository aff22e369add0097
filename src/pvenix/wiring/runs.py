"""Runs, in this process or in one of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from pvenix.detached import execute_detached
from pvenix.engine.abandoned import refuse_abandoned
from pvenix.engine.audit import AuditLog
from pvenix.engine.audittrail import WHO, AuditTrail, complete, complete_run
from pvenix.engine.begun import complete_acts
from pvenix.engine.journal import Trail
from pvenix.engine.retention import prune_by_environment
from pvenix.engine.runfiles import RunDir
from pvenix.lifecycle.leftovers import Leftover, leftovers
from pvenix.model.events import Event
from pvenix.model.plan import RunPlan
from pvenix.operator import author, operator, os_user
from pvenix.wiring.opened import OpenFleet


class Runs(OpenFleet):
    """Who executes a plan."""

    async def execute(
        self, run: RunDir, *, on_event: Callable[[Event], None], resume: bool = False, only: Collection[str] = ()
    ) -> int:
        """Execute a run in this process; returns its exit code. `only` is as the runner's.

        Raises: LockHeld when another process executes it, UsageError when it was abandoned, InvalidInput, LocalResource,
        ReadOnly for a plan that would change something where nothing may be.
        """
        if self.read_only and not run.plan().check:
            self.refuse_change("execute a run")
        from pvenix.adapters.logs import clean_logs
        from pvenix.adapters.text import sanitise
        from pvenix.engine.execution import Tools
        from pvenix.engine.journal import SqliteJournal
        from pvenix.engine.locks import HostLocks
        from pvenix.engine.narrator import Narrator
        from pvenix.engine.runner import Runner
        from pvenix.lifecycle.table import verbs

        clean_logs()
        refuse_abandoned(run.path)
        plan = run.plan()
        world = await self._site()
        world.ledger.awaited = plan.hosts
        with (
            run.locked(),
            self._audited(run, check=plan.check) as trail,
            SqliteJournal(run.journal_path, trail=trail) as journal,
            Narrator(run, world.clock, on_event, clean=sanitise) as narrator,
        ):
            if trail is not None:
                journal.evidence("", WHO, **await self._who())
            locks = HostLocks(self.state_dir / "locks")
            tools = Tools(verbs=verbs(world), journal=journal, clock=world.clock, locks=locks)
            return int(await Runner(plan, run, tools, narrator).execute(resume=resume, only=only))

    @contextmanager
    def _audited(self, run: RunDir, *, check: bool) -> Iterator[Trail | None]:
        """The trail of a run whose lock this process holds; a run that only looks leaves none.

        Raises: LocalResource when the audit log cannot be written.
        """
        from pvenix.engine.journal import read_entries

        if check:
            yield None
            return
        log = AuditLog(self.state_dir)
        complete_acts(log)
        complete(log, self.runs)
        prune_by_environment(self.runs, log)
        yield AuditTrail(log, run.run, read_entries(run.journal_path))
        complete_run(log, run)

    async def _who(self) -> dict[str, str]:
        """Who executes a run, from which commit of the fleet."""
        from pvenix.adapters.git.checkout import head

        commit = await head(self.root, home=self._git_home())
        return {
            "operator": operator(),
            "os_user": os_user(),
            "git": author(),
            "commit": commit,
            "pid": str(os.getpid()),
        }

    def leftovers(self, run: RunDir) -> tuple[Leftover, ...]:
        """What a run that nobody executes any more has left at work.

        Raises: LocalResource when its journal cannot be read.
        """
        from pvenix.engine.journal import read_entries

        return leftovers(read_entries(run.journal_path))

    def start_detached(self, plan: RunPlan) -> RunDir:
        """Start a run in a process of its own, which outlives this one.

        Raises: LocalResource when the process cannot be started, ReadOnly as `execute`.
        """
        if not plan.check:
            self.refuse_change("start a run")
        run = self.runs.create(plan)
        execute_detached(run, self.root, resume=False)
        return run

    def resume_detached(self, run: RunDir, only: Collection[str] = ()) -> None:
        """Go on with an interrupted or failed run in a process of its own; `only` is as the runner's.

        Raises: LocalResource when the process cannot be started, UsageError when the run was abandoned,
        ReadOnly as `execute`.
        """
        if self.read_only and not run.plan().check:
            self.refuse_change("go on with a run")
        refuse_abandoned(run.path)
        execute_detached(run, self.root, resume=True, only=only)
