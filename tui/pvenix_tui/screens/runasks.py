"""What a person asks of a run: to pause, to go on, to cancel, to try again, and to take an approval."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.engine.requests import Ask
from pvenix_tui.screens.asking import AskingScreen
from pvenix_tui.screens.commands import CommandsScreen
from pvenix_tui.screens.review import ReviewScreen


class RunAsks(AskingScreen):
    """The part of a run's screen that speaks to the run."""

    focus_host: str

    def do_run_continue(self) -> None:
        """Let all that wait go on."""
        self.follower.model.paused = False
        self.request(Ask.CONTINUE, "asked every waiting host to go on")

    def do_run_retry(self) -> None:
        """Another attempt for the host at the cursor."""
        self.retry([self.focus_host])

    def do_run_retry_all(self) -> None:
        """Another attempt for all that did not succeed."""
        self.retry([""])

    def retry(self, hosts: Sequence[str], only: Sequence[str] = ()) -> None:
        """Ask a live run for another attempt of these hosts, or go on with one that ended, with `only` if given."""
        if not self.live:
            self.resume(only)
            return
        for host in hosts:
            self.request(Ask.RETRY, f"asked for another attempt of {host or 'every failed host'}", host=host)

    def do_run_cancel(self) -> None:
        """Ask, then cancel the run."""
        self.cancel("the run", "R or pvenix resume goes on later")

    def do_run_cancel_host(self) -> None:
        """Ask, then cancel the host at the cursor."""
        self.cancel(self.focus_host, "R or pvenix resume goes on later", host=self.focus_host)

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
