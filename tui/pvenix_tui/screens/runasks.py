"""What a person asks of a run: to pause, to go on, to cancel, to try again, and to take an approval."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.approving import Approver
from pvenix_tui.screens.commands import CommandsScreen
from pvenix_tui.screens.dialogs import Confirm
from pvenix_tui.screens.planning import PlanningScreen
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.session import describe


class RunAsks(PlanningScreen):
    """The part of a run's screen that speaks to the run."""

    run: RunDir
    follower: RunFollower
    approver: Approver
    focus_host: str

    def _request(self, kind: str, host: str, said: str) -> None:
        try:
            self.run.request(kind, host)
        except (PvenixError, OSError) as error:
            self.session.say(describe(error) if isinstance(error, PvenixError) else str(error), bad=True)
            return
        self.session.say(said)

    def do_run_continue(self) -> None:
        """Let all that wait go on."""
        self.follower.model.paused = False
        self._request("continue", "", "asked every waiting host to go on")

    def do_run_pause(self) -> None:
        """Hold before the next steps."""
        self.follower.model.paused = True
        self._request("pause", "", "asked the run to pause before its next steps; c goes on")

    def do_run_retry(self) -> None:
        """Another attempt for the host at the cursor."""
        self.retry([self.focus_host])

    def do_run_retry_all(self) -> None:
        """Another attempt for all that did not succeed."""
        self.retry([""])

    def retry(self, hosts: Sequence[str], only: Sequence[str] = ()) -> None:
        """Ask a live run for another attempt of these hosts, or go on with one that ended, with `only` if given."""
        if self.follower.state != "running":
            self.run_worker(self._resume(only), group="resume", exclusive=True, exit_on_error=False)
            return
        for host in hosts:
            self._request("retry", host, f"asked for another attempt of {host or 'every failed host'}")

    async def _resume(self, only: Sequence[str] = ()) -> None:
        async def work() -> None:
            await asyncio.to_thread(self.session.backend.resume_detached, self.run, only)
            self.follower.expect()

        if await self.session.guarded("resume", work):
            self.session.say("the run goes on where it stopped")
        else:
            self.session.say(self.session.problems.pop("resume"), bad=True)

    def do_run_approve(self) -> None:
        """Ask about what waits."""
        self.approver.ask(self.app)

    def do_run_cancel(self) -> None:
        """Ask, then cancel the run."""
        self._cancel("", "the run")

    def do_run_cancel_host(self) -> None:
        """Ask, then cancel the host at the cursor."""
        self._cancel(self.focus_host, self.focus_host)

    def _cancel(self, host: str, what: str) -> None:
        lines: list[Line] = [
            (("No further step starts; a step at work is let finish.", Tone.PLAIN),),
            (("What is done stays done; R or pvenix resume goes on later.", Tone.DIM),),
        ]

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes:
                self._request("cancel", host, f"asked {what} to end")

        dialog = Confirm(f"Cancel {what}?", lines, clock=self.session.clock, yes=f"cancel {what}")
        self.app.push_screen(dialog, answered)

    def do_run_rollback(self) -> None:
        """Choose where the host at the cursor goes back to."""
        from pvenix_tui.screens.rollback import RollbackScreen  # it opens runs itself

        screen = RollbackScreen(self.session, (self.focus_host,), before=self.run, area=self.area)
        self.app.push_screen(screen, self.started)

    def do_run_review(self) -> None:
        """The review of the host at the cursor."""
        self.app.push_screen(ReviewScreen(self.session, self.focus_host, area=self.area))

    def do_run_commands(self) -> None:
        """The commands as they were sent."""
        self.app.push_screen(CommandsScreen(self.session, self.follower, area=self.area))
