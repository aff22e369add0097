"""Live and past runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Column, Line, Tone, column_widths, header_line, table_line, text_line
from pvenix_tui.models.states import age, status_span
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.run import RunScreen
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows

COLUMNS: Final = (
    Column(title="STATE", width=13),
    Column(title="AGE", width=4),
    Column(title="WHAT", width=20, grow=3),
    Column(title="HOSTS", width=5),
    Column(title="EXIT", width=4),
    Column(title="ENDS", width=16, grow=2, keep=1),
    Column(title="RUN", width=20, keep=2),
)


class RunTable:
    """The source of the list of runs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._widths: tuple[int, ...] = ()

    def layout(self, width: int) -> Line | None:
        """The columns that fit."""
        self._widths = column_widths(COLUMNS, width)
        return header_line(self._widths, COLUMNS)

    def count(self) -> int:
        """Runs that were read."""
        return len(self._session.runs)

    def line(self, index: int) -> Line:
        """A run."""
        run = self._session.runs[index]
        good = run.exit_code in (None, 0)
        return table_line(
            self._widths,
            (
                status_span(run.state),
                (age(run.started_at, self._session.clock()), Tone.DIM),
                (run.title, Tone.STRONG),
                (str(run.hosts), Tone.PLAIN),
                ("" if run.exit_code is None else str(run.exit_code), Tone.OK if good else Tone.BAD),
                (" ".join(f"{status} {count}" for status, count in run.counts.items() if count), Tone.PLAIN),
                (run.run, Tone.DIM),
            ),
        )

    def key(self, index: int) -> str:
        """The run's id."""
        return self._session.runs[index].run


class RunsScreen(PvenixScreen[None]):
    """The runs of this fleet on this machine."""

    scope = "runs"
    area = "runs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(RunTable(self.session), id="runs")
        yield Bar(id="preview")

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, run=self.query_one("#runs", Rows).key if self.is_mounted else "")

    @override
    def redraw(self) -> None:
        self.query_one("#runs", Rows).reload()
        self.refresh_bars()

    @override
    def refresh_bars(self) -> None:
        super().refresh_bars()
        if self.is_mounted:
            text = "" if self.session.runs else "no run yet: start one from the fleet (1), r rebuilds a host"
            self.query_one("#preview", Bar).show(text_line(text, Tone.DIM))

    def do_runs_open(self) -> None:
        """Watch or replay the run."""
        try:
            run = self.session.backend.runs.open(self.query_one("#runs", Rows).key)
            self.app.push_screen(RunScreen(self.session, run, area=self.area))
        except PvenixError as error:
            self.session.say(describe(error), bad=True)
