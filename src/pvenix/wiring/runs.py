"""Runs, in this process or in one of their own."""

from __future__ import annotations

from collections.abc import Callable

from pvenix.detached import execute_detached
from pvenix.engine.runfiles import RunDir
from pvenix.model.events import Event
from pvenix.model.plan import RunPlan
from pvenix.wiring.opened import OpenFleet


class Runs(OpenFleet):
    """Who executes a plan."""

    async def execute(self, run: RunDir, *, on_event: Callable[[Event], None], resume: bool = False) -> int:
        """Execute a run in this process; returns its exit code.

        Raises: LockHeld when another process executes it, InvalidInput, LocalResource.
        """
        from pvenix.adapters.logs import clean_logs
        from pvenix.adapters.text import sanitise
        from pvenix.engine.execution import Tools
        from pvenix.engine.journal import SqliteJournal
        from pvenix.engine.locks import HostLocks
        from pvenix.engine.narrator import Narrator
        from pvenix.engine.runner import Runner
        from pvenix.lifecycle.table import verbs

        clean_logs()
        plan = run.plan()
        world = await self._site()
        world.ledger.awaited = plan.hosts
        with (
            run.locked(),
            SqliteJournal(run.journal_path) as journal,
            Narrator(run, world.clock, on_event, clean=sanitise) as narrator,
        ):
            locks = HostLocks(self.state_dir / "locks")
            tools = Tools(verbs=verbs(world), journal=journal, clock=world.clock, locks=locks)
            return int(await Runner(plan, run, tools, narrator).execute(resume=resume))

    def start_detached(self, plan: RunPlan) -> RunDir:
        """Start a run in a process of its own, which outlives this one.

        Raises: LocalResource when the process cannot be started.
        """
        run = self.runs.create(plan)
        execute_detached(run, self.root, resume=False)
        return run

    def resume_detached(self, run: RunDir) -> None:
        """Go on with an interrupted or failed run in a process of its own.

        Raises: LocalResource when the process cannot be started.
        """
        execute_detached(run, self.root, resume=True)
