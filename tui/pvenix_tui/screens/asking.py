"""A screen that speaks to a run: what every such screen asks of one, and how one that nobody executes goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from typing_extensions import override

from pvenix.engine.requests import Ask
from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.approving import Approver
from pvenix_tui.screens.dialogs import Confirm
from pvenix_tui.screens.planning import PlanningScreen
from pvenix_tui.session import describe
from pvenix_tui.working import in_background


class AskingScreen(PlanningScreen):
    """What speaks to one run."""

    run: RunDir
    follower: RunFollower
    approver: Approver

    def tick(self) -> None:
        """Read what is new of the run, and draw it."""
        raise NotImplementedError

    @override
    def action_do(self, action_id: str) -> None:
        """As on every screen, by what the run is now: what shows is old for half a second, and behind another screen longer."""
        self.follower.hurry()
        self.tick()
        super().action_do(action_id)

    @property
    def live(self) -> bool:
        """Whether somebody takes what the run is asked; looked at once more, for a dialog may have stood in between."""
        return self.follower.state == "running" and self.run.alive()

    def request(self, ask: Ask, said: str, *, host: str = "", step: str = "") -> None:
        """Ask the run for something, for all its hosts or for one, and say so, or that it has just ended."""
        from pvenix.operator import operator

        try:
            self.run.request(ask.value, host, step=step, by=operator())
        except (PvenixError, OSError) as error:
            self.session.say(describe(error) if isinstance(error, PvenixError) else str(error), bad=True)
            return
        gone = self.follower.state == "running" and not self.run.alive()
        self.session.say("the run ended before it was asked" if gone else said, bad=gone)

    def resume(self, only: Sequence[str] = (), *, skip: str = "") -> None:
        """Go on with a run that nobody executes, with `only` if given; of one host without the step `skip`."""
        in_background(self, partial(self._resume, only, skip), group="resume")

    async def _resume(self, only: Sequence[str], skip: str) -> None:
        async def work() -> None:
            if skip:
                await self.session.backend.skip(self.run, only[0], skip)
            await asyncio.to_thread(self.session.backend.resume_detached, self.run, only)
            self.follower.expect()

        if await self.session.guarded("resume", work):
            goes_on = f"goes on without {skip.rpartition('.')[2]}" if skip else "the run goes on where it stopped"
            self.session.say(goes_on)
        else:
            self.session.say(self.session.problems.pop("resume"), bad=True)

    def cancel(self, what: str, later: str, *, host: str = "") -> None:
        """Ask the person, then the run to end; `later` says what can be done about it afterwards."""
        lines: list[Line] = [
            (("No further step starts; a step at work is let finish.", Tone.PLAIN),),
            ((f"What is done stays done; {later}.", Tone.DIM),),
        ]

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes:
                self.follower.model.ending = self.follower.model.ending or (not host and self.live)
                self.request(Ask.CANCEL, f"asked {what} to end", host=host)

        dialog = Confirm(f"Cancel {what}?", lines, clock=self.session.clock, yes=f"cancel {what}")
        self.app.push_screen(dialog, answered)

    def do_run_pause(self) -> None:
        """Hold before the next steps."""
        self.follower.model.paused = True
        self.request(Ask.PAUSE, "asked the run to pause before its next steps; c goes on")

    def do_run_approve(self) -> None:
        """Ask about what waits."""
        self.approver.ask(self.app)
