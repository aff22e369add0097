"""A run that ends while something else is in front: told on the screen, and beyond it where the person wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pvenix.model.outcome import Status
from pvenix_tui.prefs import Notify
from pvenix_tui.screens.base import PvenixScreen

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunSummary
    from pvenix_tui.frame import Frame
    from pvenix_tui.session import Session

_GOOD: Final = frozenset(status.value for status in Status if status.goes_on)


class Notices:
    """Which runs were at work when the list of runs was read last."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._live: set[str] = set()

    def tell(self, app: Frame) -> None:
        """Tell of those that have ended since."""
        runs = self._session.runs
        ended = [run for run in runs if run.run in self._live and run.state != "running"]
        self._live = {run.run for run in runs if run.state == "running"}
        in_front = app.screen.run_id if isinstance(app.screen, PvenixScreen) else ""
        for run in ended:
            if run.run != in_front:
                self._one(app, run)

    def _one(self, app: Frame, run: RunSummary) -> None:
        good = run.exit_code == 0
        text = f"{run.title}: {'done' if good else _ending(run)}"
        self._session.say(text, bad=not good)
        if self._session.preferences.notify is Notify.BELL:
            app.bell()
        elif self._session.preferences.notify is Notify.OSC9:
            app.tell_terminal(text)


def _ending(run: RunSummary) -> str:
    ends = ", ".join(f"{count} {status}" for status, count in run.counts.items() if status not in _GOOD)
    return ends or (f"ended with exit {run.exit_code}" if run.exit_code is not None else run.state)
