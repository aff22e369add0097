"""A screen from which plans are opened: the plan, and once it was started its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_tui.screens.base import PvenixScreen

if TYPE_CHECKING:
    from pvenix_tui.intents.base import Intent


class PlanningScreen(PvenixScreen[object]):
    """What leads to a plan."""

    def open_plan(self, intent: Intent) -> None:
        """Show the plan; when it is started, the run."""
        from pvenix_tui.screens.plan import PlanScreen

        self.app.push_screen(PlanScreen(self.session, intent, area=self.area), self.started)

    def started(self, result: object) -> None:
        """A plan was started, or left with None."""
        from pvenix.engine.runfiles import RunDir
        from pvenix_tui.screens.onboardings import run_screen

        if isinstance(result, RunDir):
            self.app.push_screen(run_screen(self.session, result, area=self.area, started=True))
