"""Live and past runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.engine.runfiles import RunSummary
from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Column, Span, Tone
from pvenix_tui.models.states import age, status_span
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.lists import ListScreen
from pvenix_tui.screens.undoing import undo_run
from pvenix_tui.screens.wizard import run_screen
from pvenix_tui.session import describe


class RunsScreen(ListScreen[RunSummary]):
    """The runs of this fleet on this machine."""

    scope = "runs"
    area = "runs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")
    columns = (
        Column(title="STATE", width=13),
        Column(title="AGE", width=4),
        Column(title="WHAT", width=20, grow=3),
        Column(title="HOSTS", width=5),
        Column(title="EXIT", width=4),
        Column(title="ENDS", width=16, grow=2, keep=1),
        Column(title="RUN", width=20, keep=2),
    )

    @override
    def items(self) -> Sequence[RunSummary]:
        return self.session.runs

    @override
    def cells(self, item: RunSummary) -> Sequence[Span]:
        good = item.exit_code in (None, 0)
        return (
            status_span(item.state),
            (age(item.started_at, self.session.clock()), Tone.DIM),
            (item.title, Tone.STRONG),
            (str(item.hosts), Tone.PLAIN),
            ("" if item.exit_code is None else str(item.exit_code), Tone.OK if good else Tone.BAD),
            (" ".join(f"{status} {count}" for status, count in item.counts.items() if count), Tone.PLAIN),
            (item.run, Tone.DIM),
        )

    @override
    def item_key(self, item: RunSummary) -> str:
        return item.run

    @override
    def why_empty(self) -> str:
        return "no run yet: start one from the fleet (1), r rebuilds a host"

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, run=self.at_cursor)

    def do_run_undo(self) -> None:
        """Plan what takes the run at the cursor back."""
        undo_run(self, self.at_cursor)

    def do_runs_open(self) -> None:
        """Watch or replay the run."""
        try:
            run = self.session.backend.runs.open(self.at_cursor)
            self.app.push_screen(run_screen(self.session, run, area=self.area))
        except PvenixError as error:
            self.session.say(describe(error), bad=True)
