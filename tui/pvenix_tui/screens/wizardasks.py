"""What a person asks of a host's onboarding: to go on, hold, try again, leave a step out, take all back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pvenix.engine.requests import Ask
from pvenix.model.sofar import SoFar
from pvenix_tui.intents.newhost import undo_intent
from pvenix_tui.models.lines import Line, Tone, wrap
from pvenix_tui.models.wizard import WizardModel
from pvenix_tui.screens.asking import AskingScreen
from pvenix_tui.screens.dialogs import Confirm
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.screens.run import RunScreen

_WIDTH: Final = 64


class WizardAsks(AskingScreen):
    """The part of the wizard that speaks to the run."""

    host: str
    model: WizardModel
    found: SoFar | None

    def do_wizard_continue(self) -> None:
        """Let the step begin that waits; a run that has stopped goes on."""
        if self.live:
            self.follower.model.paused = False
            self.request(Ask.CONTINUE, "asked the run to go on")
        else:
            self.retry((self.host,))

    def do_wizard_retry(self) -> None:
        """Another attempt."""
        self.retry((self.host,))

    def retry(self, hosts: Sequence[str]) -> None:
        """Ask a live run for another attempt, or go on with one that has ended."""
        if self.live:
            for host in hosts:
                self.request(Ask.RETRY, "asked for another attempt", host=host)
        else:
            self.resume((self.host,))

    def do_wizard_skip(self) -> None:
        """Ask, then go on without the current step."""
        step = self.model.current
        if step is None:
            return
        verb = step.task.verb
        said: list[Line] = [
            ((f"{self.host} goes on without {verb}.", Tone.PLAIN),),
            ((f"It counts as skipped, not as done; pvenix {verb} {self.host} does it later.", Tone.DIM),),
        ]
        lines = [piece for line in said for piece in wrap(line, _WIDTH)]

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes and self.live:
                self.request(Ask.SKIP, f"asked to go on without {verb}", host=self.host, step=step.id)
            elif yes:
                self.resume((self.host,), skip=step.id)

        self.app.push_screen(Confirm(f"Skip {verb}?", lines, clock=self.session.clock, yes=f"skip {verb}"), answered)

    def do_wizard_undo(self) -> None:
        """Plan what takes back what was made."""
        if self.found is not None:
            self.open_plan(undo_intent(self.session.backend, self.host, self.found))

    def do_wizard_review(self) -> None:
        """The registration branch; coming back is esc."""
        self.app.push_screen(ReviewScreen(self.session, self.host, area=self.area))

    def do_run_cancel(self) -> None:
        """Ask, then end the run."""
        self.cancel("the onboarding", "enter goes on later, z takes it back")

    def do_wizard_run(self) -> None:
        """The run's own screen."""
        self.app.push_screen(RunScreen(self.session, self.run, area=self.area))
