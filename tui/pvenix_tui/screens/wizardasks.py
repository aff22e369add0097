"""What a person asks of a host's onboarding: to go on, hold, try again, leave a step out, take all back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix.model.sofar import SoFar
from pvenix_tui.intents.newhost import undo_intent
from pvenix_tui.models.lines import Line, Tone, wrap
from pvenix_tui.models.wizard import WizardModel
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.approving import Approver
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Confirm
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.screens.run import RunScreen
from pvenix_tui.session import describe

_WIDTH: Final = 64


class WizardAsks(PvenixScreen[None]):
    """The part of the wizard that speaks to the run."""

    run: RunDir
    host: str
    follower: RunFollower
    model: WizardModel
    approver: Approver
    found: SoFar | None

    def _request(self, kind: str, said: str, *, host: str = "", step: str = "") -> None:
        try:
            self.run.request(kind, host, step=step, by=_by())
        except (PvenixError, OSError) as error:
            self.session.say(describe(error) if isinstance(error, PvenixError) else str(error), bad=True)
            return
        self.session.say(said)

    def do_wizard_continue(self) -> None:
        """Let the step begin that waits; a run that has stopped goes on."""
        if self.follower.state == "running":
            self.follower.model.paused = False
            self._request("continue", "asked the run to go on")
        else:
            self.retry((self.host,))

    def do_wizard_pause(self) -> None:
        """Hold before the next step."""
        self.follower.model.paused = True
        self._request("pause", "asked the run to pause before its next step; enter goes on")

    def do_wizard_retry(self) -> None:
        """Another attempt."""
        self.retry((self.host,))

    def retry(self, hosts: Sequence[str]) -> None:
        """Ask a live run for another attempt, or go on with one that has ended."""
        if self.follower.state == "running":
            for host in hosts:
                self._request("retry", "asked for another attempt", host=host)
        else:
            self.run_worker(self._resume(), group="resume", exclusive=True, exit_on_error=False)

    async def _resume(self, *, skip: str = "") -> None:
        """Go on with a run that nobody executes, without a step where one is to be left out."""

        async def work() -> None:
            if skip:
                await self.session.backend.skip(self.run, self.host, skip)
            await asyncio.to_thread(self.session.backend.resume_detached, self.run, (self.host,))
            self.follower.expect()

        if await self.session.guarded("resume", work):
            self.session.say(
                f"goes on without {skip.rpartition('.')[2]}" if skip else "the run goes on where it stopped"
            )
        else:
            self.session.say(self.session.problems.pop("resume"), bad=True)

    def do_wizard_skip(self) -> None:
        """Ask, then go on without the current step."""
        step = self.model.current
        if step is None:
            return
        verb, live = step.task.verb, self.follower.state == "running"
        said: list[Line] = [
            ((f"{self.host} goes on without {verb}.", Tone.PLAIN),),
            ((f"It counts as skipped, not as done; pvenix {verb} {self.host} does it later.", Tone.DIM),),
        ]
        lines = [piece for line in said for piece in wrap(line, _WIDTH)]

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes and live:
                self._request("skip", f"asked to go on without {verb}", host=self.host, step=step.id)
            elif yes:
                self.run_worker(self._resume(skip=step.id), group="resume", exclusive=True, exit_on_error=False)

        self.app.push_screen(Confirm(f"Skip {verb}?", lines, clock=self.session.clock, yes=f"skip {verb}"), answered)

    def do_wizard_undo(self) -> None:
        """Plan what takes back what was made."""
        if self.found is not None:
            intent = undo_intent(self.session.backend, self.host, self.found)
            self.app.push_screen(PlanScreen(self.session, intent, area=self.area), self._undone)

    def _undone(self, result: object) -> None:
        if isinstance(result, RunDir):
            self.app.push_screen(RunScreen(self.session, result, area=self.area, started=True))

    def do_wizard_review(self) -> None:
        """The registration branch; coming back is esc."""
        self.app.push_screen(ReviewScreen(self.session, self.host, area=self.area))

    def do_wizard_approve(self) -> None:
        """Ask about what waits."""
        self.approver.ask(self.app)

    def do_wizard_cancel(self) -> None:
        """Ask, then end the run."""
        lines: list[Line] = [
            (("No further step starts; a step at work is let finish.", Tone.PLAIN),),
            (("What is done stays done; enter goes on later, u takes it back.", Tone.DIM),),
        ]

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes:
                self._request("cancel", "asked the run to end")

        self.app.push_screen(Confirm("Cancel the onboarding?", lines, clock=self.session.clock, yes="cancel"), answered)

    def do_wizard_run(self) -> None:
        """The run's own screen."""
        self.app.push_screen(RunScreen(self.session, self.run, area=self.area))


def _by() -> str:
    from pvenix.operator import operator

    return operator()
